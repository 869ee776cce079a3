import { enter } from "./page.ts";

enter(async () => {
  await import("@tensorflow/tfjs-backend-webgpu");
  return (await import("./tfjs.ts")).tfjs("webgpu");
});
