// A button that takes one picture from this computer. Photographs are reduced here, before they travel: a message of
// more than about 1 MB may cost the connection on Colab, and JupyterLab's ends at 10 MB.

const SENT_AS_IT_IS = 700_000; // bytes; small files travel untouched, so a map keeps its exact colours
const MOST = 9_000_000; // bytes of a video

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
  button.title = "Take a picture from this computer";
  const input = Object.assign(document.createElement("input"), { type: "file", accept, hidden: true });
  const name = Object.assign(document.createElement("span"), { className: "course-upload-name" });
  const show = () => { name.textContent = model.get("name") || "no picture yet"; };
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    input.value = ""; // or the same file could not be chosen again
    model.set("problem", "");
    model.save_changes(); // or the same problem would be no news
    try {
      if (!file.size) throw new Error("empty");
      const moves = accept.includes("video");
      if (moves && file.size > MOST) throw new Error("large");
      const data = file.size > SENT_AS_IT_IS && !moves ? await reduced(file, model.get("longest")) : file;
      model.set({ data: new DataView(await data.arrayBuffer()), name: file.name, problem: "" });
    } catch (error) {
      const large = `${file.name} is larger than ${MOST / 1e6} MB: put it beside the notebook and write its name here.`;
      model.set("problem", error.message === "large" ? large : `${file.name} is not a picture that this browser can read.`);
    }
    model.save_changes();
  });
  el.append(button, input, name);
  model.on("change:name", show);
  show();
}

export default { render };
