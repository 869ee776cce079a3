// What this machine can give, asked once before anything is donated: a secure context, WebGPU, an adapter, else the processor. No device is opened.
//
//   probeMachine(wish) -> Machine          the page's views and the problems below read it
import type { AdapterDescription, MemoryLimits } from "#engine";
import type { BackendWish } from "./views/places.ts";
import type { Problem } from "./window/types.ts";

export type Browser = "chromium" | "firefox" | "safari" | "other";

export interface Machine {
  readonly state: "checking" | "insecure" | "no-webgpu" | "no-adapter" | "ready";
  readonly adapter: AdapterDescription | null;
  readonly limits: MemoryLimits | null; // the adapter's
  readonly browser: Browser;
}

export const uncheckedMachine: Machine = { state: "checking", adapter: null, limits: null, browser: "other" };

/** By the engine's name in the user agent: only words of advice depend on it. */
export function browserOf(userAgent: string): Browser {
  if (/firefox|fxios/i.test(userAgent)) return "firefox";
  if (/chrome|chromium|crios|edg/i.test(userAgent)) return "chromium";
  if (/safari|applewebkit/i.test(userAgent)) return "safari";
  return "other";
}

export async function probeMachine(wish: BackendWish): Promise<Machine> {
  const browser = browserOf(navigator.userAgent);
  if (!isSecureContext) return { state: "insecure", adapter: null, limits: null, browser };
  const adapter = wish === "wasm" ? null : ((await navigator.gpu?.requestAdapter().catch(() => null)) ?? null);
  if (adapter === null) {
    const cpu = wish === "webgpu" ? undefined : (await import("./processor.ts")).findCpu();
    if (cpu) return { state: "ready", adapter: cpu.adapter, limits: null, browser };
    return { state: navigator.gpu ? "no-adapter" : "no-webgpu", adapter: null, limits: null, browser };
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return {
    state: "ready",
    browser,
    limits: adapter.limits,
    // SwiftShader answers isFallbackAdapter; Mesa's lavapipe ("llvmpipe") does not say so itself.
    adapter: {
      backend: "webgpu",
      vendor,
      architecture,
      description,
      isFallback: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`),
    },
  };
}

const WEBGPU_ADVICE: Record<Browser, string> = {
  chromium:
    "Update the browser. If it is current, open chrome://gpu and look for “WebGPU”: hardware acceleration may be off (Settings, System), or the graphics driver may be on the browser’s block list, which is common on Linux.",
  firefox:
    "Update Firefox: Windows and Macs with Apple silicon have WebGPU, other systems may not yet. Elsewhere, open this page in Chrome or Edge.",
  safari: "Safari has WebGPU since version 26 (macOS, iOS and iPadOS 26). Update the system, or use Chrome or Edge.",
  other: "Open this page in a current Chrome, Edge, Firefox or Safari.",
};

/** Why this machine cannot donate, or null when it can. The run can be watched all the same. */
export function machineProblem({ state, browser }: Machine): Problem | null {
  switch (state) {
    case "checking":
    case "ready":
      return null;
    case "insecure":
      return {
        code: "insecure-context",
        message: "Browsers give WebGPU only to pages that came over HTTPS, or from this machine itself.",
        remedy:
          "Open the page’s https:// address, or http://localhost on the machine that hosts. Whoever hosts can start with --share: that serves HTTPS to the whole network.",
      };
    case "no-webgpu":
      return {
        code: "no-webgpu",
        message: "This browser does not offer WebGPU, which training runs on.",
        remedy: WEBGPU_ADVICE[browser],
      };
    case "no-adapter":
      return {
        code: "no-adapter",
        message: "The browser has WebGPU, but found no graphics adapter that it trusts.",
        remedy:
          browser === "chromium"
            ? "Turn on hardware acceleration (Settings, System), update the graphics driver, then restart the browser. chrome://gpu says what is switched off."
            : "Turn on hardware acceleration in the browser’s settings and update the graphics driver, then restart the browser.",
      };
  }
}
