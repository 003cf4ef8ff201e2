// A soft sound when somebody begins to wait: off until the agent turns it on, and made here instead of loaded.
const KEY = "desk-sound";

export function createChime() {
  let on = localStorage.getItem(KEY) === "on";
  let context = null;

  const play = () => {
    if (!on) return;
    context ??= new AudioContext();
    [523.25, 659.25].forEach((pitch, index) => note(context, pitch, context.currentTime + index * 0.14));
  };
  const show = (button) => button?.setAttribute("aria-pressed", String(on));
  return {
    play,
    show,
    toggle(button) {
      on = !on;
      localStorage.setItem(KEY, on ? "on" : "off");
      show(button);
      play();
    },
  };
}

function note(context, pitch, at) {
  const tone = new OscillatorNode(context, { type: "sine", frequency: pitch });
  const loudness = new GainNode(context, { gain: 0 });
  loudness.gain.setValueAtTime(0, at);
  loudness.gain.linearRampToValueAtTime(0.06, at + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.0001, at + 0.5);
  tone.connect(loudness).connect(context.destination);
  tone.start(at);
  tone.stop(at + 0.55);
}
