import { enter } from "./page.ts";

enter(async () => {
  const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths("/tfjs-wasm/");
  setThreadsCount(navigator.hardwareConcurrency);
  return (await import("./tfjs.ts")).tfjs("wasm");
});
