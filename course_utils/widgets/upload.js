// A button that takes one picture from this computer, chosen or dropped. Photographs are reduced here, before they travel: a message of
// more than about 1 MB may cost the connection on Colab, and JupyterLab's ends at 10 MB.

const SENT_AS_IT_IS = 700_000; // bytes; small files travel untouched, so a map keeps its exact colours
const MOST = 9_000_000; // bytes of what travels untouched

async function reduced(file, longest) {
  const image = await createImageBitmap(file); // turned as its EXIF says
  const scale = Math.min(1, longest / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const opaque = pen.getImageData(0, 0, canvas.width, canvas.height).data.every((value, i) => i % 4 < 3 || value === 255);
  return new Promise((done) => canvas.toBlob(done, opaque ? "image/jpeg" : "image/webp", 0.95)); // JPEG has no alpha
}

function render({ model, el }) {
  const accept = model.get("accept") || "image/*";
  el.classList.add("course-upload");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button widget-button";
  button.textContent = "Choose …";
  button.title = "Take a file from this computer, or drop it here";
  const input = Object.assign(document.createElement("input"), { type: "file", accept, hidden: true });
  const name = Object.assign(document.createElement("span"), { className: "course-upload-name" });
  const show = () => { name.textContent = model.get("name") || "no picture yet"; };
  button.addEventListener("click", () => input.click());
  const take = async (file) => {
    if (!file) return;
    model.set("problem", "");
    model.save_changes(); // or the same problem would be no news
    try {
      if (!file.size) throw new Error("empty");
      const whole = accept !== "image/*";
      if (whole && file.size > MOST) throw new Error("large");
      const data = file.size > SENT_AS_IT_IS && !whole ? await reduced(file, model.get("longest")) : file;
      model.set({ data: new DataView(await data.arrayBuffer()), name: file.name, problem: "" });
    } catch (error) {
      const known = {
        large: `is larger than ${MOST / 1e6} MB: put it beside the notebook and write its name here.`,
        empty: "is empty: 0 bytes.",
      };
      model.set("problem", `${file.name} ${known[error.message] || "is not a picture that this browser can read."}`);
    }
    model.save_changes();
  };
  input.addEventListener("change", () => {
    const [file] = input.files;
    take(file);
    input.value = ""; // or the same file could not be chosen again
  });
  const ground = () => (model.get("anywhere") && el.closest(".course-panel")) || el;
  const receive = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.type === "drop") take(event.dataTransfer.files[0]);
  };
  requestAnimationFrame(() => ["dragover", "drop"].forEach((type) => ground().addEventListener(type, receive)));
  el.append(button, input, name);
  model.on("change:name", show);
  show();
}

export default { render };
