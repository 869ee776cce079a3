  // Over the keys, of one's own sequence or of another rank's block (attention-block-backward-q.wgsl): rows base … base + last of qkv, `stride` apart, those up
  // to query$u seen. Adds to dq$u_$d.
  for (var key = 0u; key <= end; key += 4u) {
    var s$u_$i = 0.0;
    var dp$u_$i = 0.0;
#if QUADS
    let row = (base + min(key + mine, last)) * stride;
    let kRow$d = vec4f(qkv[row + kAt + $du]);
    let vRow$d = vec4f(qkv[row + vAt + $du]);
    let k$d_$i = quadBroadcast(kRow$d, $iu);
    let v$d_$i = quadBroadcast(vRow$d, $iu);
#else
    let row$i = (base + min(key + $iu, last)) * stride;
    let k$d_$i = vec4f(qkv[row$i + kAt + $du]);
    let v$d_$i = vec4f(qkv[row$i + vAt + $du]);
#end
    s$u_$i += dot(q$u_$d, k$d_$i);
    dp$u_$i += dot(dy$u_$d, v$d_$i);
    let masked$u = vec4u(key) + vec4u(0u, 1u, 2u, 3u) > vec4u(query$u);
    let p$u = exp(select(vec4f(s$u_0, s$u_1, s$u_2, s$u_3) - ownLse$u, vec4f(NONE), masked$u));
    let ds$u = p$u * (vec4f(dp$u_0, dp$u_1, dp$u_2, dp$u_3) - ownDelta$u) * shape.scale;
    dq$u_$d += ds$u[$i] * k$d_$i;
  }
