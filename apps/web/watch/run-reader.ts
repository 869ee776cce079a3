// The reader's thread: wishes in, changes of the snapshot out.
import "../no-eval.ts";
import type { ReaderAsk, ReaderTell } from "../window/types.ts";
import { Reader } from "./reader.ts";

type Start = { readonly type: "start"; readonly base: string };

let reader: Reader | undefined;
addEventListener("message", ({ data }: MessageEvent<Start | ReaderAsk>) => {
  if (data.type === "start") reader = new Reader(data.base, (change: ReaderTell) => postMessage(change));
  else reader?.hear(data);
});
