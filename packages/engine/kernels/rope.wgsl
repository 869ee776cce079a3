// Rotary positions in place on the q and k heads of qkv (rows, stride): channels (i, i + HS/2) of a head turn by the angle of their position.
// cosines and sines (T, HS/2) are made on the CPU: WGSL's own are only promised near zero. direction −1 undoes it (backward pass).
// An invocation turns PACK channels: 4, or 2 where HS/2 is no multiple of 4.
struct Shape { rows: u32, T: u32, stride: u32, turned: u32, half: u32, direction: f32 }
#if WIDE
alias Pack = vec4f;
alias StoredPack = vec4<Stored>;
#else
alias Pack = vec2f;
alias StoredPack = vec2<Stored>;
#end
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> cosines: array<Pack>;
@group(0) @binding(2) var<storage, read> sines: array<Pack>;
@group(0) @binding(3) var<storage, read_write> qkv: array<StoredPack>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let packs = shape.half / PACK;
  let i = id.x % packs;
  let head = id.x / packs;
  if (head >= shape.turned) { return; }
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    let angle = (row % shape.T) * packs + i;
    let c = cosines[angle];
    let s = sines[angle] * shape.direction;
    let at = row * (shape.stride / PACK) + head * 2u * packs + i;
    let x = Pack(qkv[at]);
    let y = Pack(qkv[at + packs]);
    qkv[at] = StoredPack(x * c - y * s);
    qkv[at + packs] = StoredPack(y * c + x * s);
  }
}
