// The thread of `bench moments` in a browser: files are read and written at once only in workers.
import { type MeasureColdOptions, measureCold } from "#engine";
import { openColdFile } from "../../web/worker/cold-file.ts";

addEventListener("message", ({ data }: MessageEvent<MeasureColdOptions>) => {
  void measureCold(data, openColdFile).then(
    (measured) => postMessage({ measured }),
    (error) => postMessage({ error: String(error) }),
  );
});
