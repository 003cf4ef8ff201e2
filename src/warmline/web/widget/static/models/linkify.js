// Finds web addresses in plain text. Returns pieces, never markup: the view makes text nodes and anchors of them.

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi;
const TRAILING = /[.,;:!?…)\]]+$/;

/** [{text} | {text, url}] whose texts joined are the input. Only http and https become links. */
export function pieces(text) {
  const result = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    if (!isWebAddress(address)) continue;
    if (match.index > end) result.push({ text: text.slice(end, match.index) });
    result.push({ text: address, url: address });
    end = match.index + address.length;
  }
  if (end < text.length) result.push({ text: text.slice(end) });
  return result;
}

function trimmed(address) {
  // A closing bracket belongs to the address only if it was opened inside it.
  const tail = TRAILING.exec(address)?.[0] ?? "";
  const head = address.slice(0, address.length - tail.length);
  return tail.startsWith(")") && head.includes("(") && !head.includes(")") ? `${head})` : head;
}

export function isWebAddress(address) {
  try {
    const url = new URL(address);
    return (url.protocol === "https:" || url.protocol === "http:") && Boolean(url.hostname);
  } catch {
    return false;
  }
}
