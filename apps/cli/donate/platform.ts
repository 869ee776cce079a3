// What a peer finds in a browser and not in Node: WebSocket, WebRTC and, where wished, WebGPU, on the global scope.
import { createRequire } from "node:module";
import { join } from "node:path";
import { WebSocket } from "ws";
import { openDawn } from "#engine/dawn";
import { findDawn } from "../dawn.ts";
import { installPackages } from "../install.ts";

const WEBRTC = {
  manifests: "donate/webrtc-package",
  name: "webrtc",
  what: "WebRTC for Node (npm @roamhq/wrtc, 26 MB)",
};

/** As in a browser: an error that nobody hears ends nothing, the close that follows says it. */
export class QuietSocket extends WebSocket {
  constructor(...given: ConstructorParameters<typeof WebSocket>) {
    super(...given);
    this.on("error", () => {});
  }
}

/** @throws InstallError */
export async function openPlatform(say: (line: string) => void): Promise<void> {
  const folder = await installPackages(WEBRTC, say);
  const require = createRequire(join(folder, "package.json"));
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = require("@roamhq/wrtc") as typeof globalThis;
  // Node 22's own WebSocket cannot be given a certificate authority; one for all versions.
  Object.assign(globalThis, { WebSocket: QuietSocket, RTCPeerConnection, RTCSessionDescription, RTCIceCandidate });
  if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
}

/**
 * Dawn's WebGPU, if it can be had.
 * @param adapter part of the name of the adapter to take
 */
export async function openGpu(adapter: string | undefined, say: (line: string) => void): Promise<void> {
  const { folder } = await findDawn(say);
  await openDawn(folder, adapter);
}
