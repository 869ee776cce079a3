// What a shard says of the vec4 `at` of its tensor: scale of the block x its four codes. Part of the kernels that take shards, which bind them as `shards`.
//   shard = scales (blocks, f32) | codes, four a word;   blocks of SHARD_VECTORS vec4, the last one perhaps shorter
fn decoded(shard: u32, at: u32) -> vec4f {
  let vectors = shape.rows * (shape.C / 4u);
  let blocks = (vectors + SHARD_VECTORS - 1u) / SHARD_VECTORS;
  let start = shard * (blocks + vectors);
  let word = shards[start + blocks + at];
  let codes = bitcast<vec4i>(vec4u(word << 24u, word << 16u, word << 8u, word)) >> vec4u(24u);
  return bitcast<f32>(shards[start + at / SHARD_VECTORS]) * vec4f(codes);
}
