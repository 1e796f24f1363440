// Calls the kernel four times a second while `beating` is true; a beat waits until the kernel has answered the last.
function initialize({ model }) {
  let timer;
  const listen = () => {
    clearInterval(timer);
    if (!model.get("beating")) return;
    timer = setInterval(() => {
      model.set("beats", model.get("beats") + 1);
      model.save_changes();
    }, 250);
  };
  model.on("change:beating", listen);
  listen();
  return () => clearInterval(timer);
}

function render({ el }) {
  el.style.display = "none";
}

export default { initialize, render };
