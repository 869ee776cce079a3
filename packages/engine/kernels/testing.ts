// The devices that every kernel is tested on.
export const DEVICES = [
  { device: "the adapter's limits", defaultLimits: false },
  { device: "WebGPU's default limits", defaultLimits: true },
];

/** What a matrix product must run on besides: the tiles that real GPUs use. */
export const TILED_DEVICES = [
  ...DEVICES.map((given) => ({ ...given, tiled: false })),
  { device: "WebGPU's default limits, tiled", defaultLimits: true, tiled: true },
];
