// Changing requests from scripts: url-encoded like a form, with the session's token.
export function token() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRF-Token"] ?? "";
}

/**
 * @param {string} path
 * @param {Record<string, string>} fields
 * @returns {Promise<Response>}
 */
export function post(path, fields) {
  return fetch(path, {
    method: "POST",
    redirect: "manual",
    keepalive: true,
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      "x-csrf-token": token(),
    },
    body: new URLSearchParams(fields),
  });
}

export function newClientId() {
  // crypto.randomUUID exists in secure contexts only; a console on a plain http address is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
