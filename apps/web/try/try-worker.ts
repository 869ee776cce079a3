// The thread that continues texts: wishes in, changes of the snapshot out. The page's own thread only draws.
import "../no-eval.ts";
import { createGenerator } from "#engine/generation";
import type { TryAsk, TryTell } from "./types.ts";
import { Writer } from "./writer.ts";

const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

let writer: Writer | undefined;
addEventListener("message", ({ data }: MessageEvent<TryAsk>) => {
  switch (data.type) {
    case "start":
      writer = new Writer({ base: data.base, run: data.run }, data.spec, {
        tell: (change: TryTell) => postMessage(change),
        createGenerator,
        breathe,
        now: () => performance.now(),
      });
      return;
    case "list":
      return void writer?.list();
    case "write":
      return void writer?.write(data);
    case "stop":
      return writer?.stop();
  }
});
