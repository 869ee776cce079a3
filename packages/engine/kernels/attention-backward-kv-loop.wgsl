  // Over queries first … last of each head of the group, those from key$u on: they see these keys, which are their own sequence's or another rank's
  // (attention-block-backward-kv.wgsl). Adds to dk$u_$d and dv$u_$d.
  for (var head = id.y * group; head < (id.y + 1u) * group; head++) {
    let statistics = (id.z * shape.heads + head) * shape.T;
    for (var query = first; query <= last; query += 4u) {
      var s$u_$i = 0.0;
      var dp$u_$i = 0.0;
#if QUADS
      let own = min(query + mine, last);
      let ownLse = lse[statistics + own];
      let ownDelta = delta[statistics + own];
      let lse$i = quadBroadcast(ownLse, $iu);
      let delta$i = quadBroadcast(ownDelta, $iu);
      let row = base + own;
      let qRow$d = vec4f(qkv[row * stride + head * HS4 + $du]);
      let dyRow$d = vec4f(dy[(row * shape.heads + head) * HS4 + $du]);
      let q$d_$i = quadBroadcast(qRow$d, $iu);
      let dy$d_$i = quadBroadcast(dyRow$d, $iu);
#else
      let row$i = min(query + $iu, last);
      let lse$i = lse[statistics + row$i];
      let delta$i = delta[statistics + row$i];
      let q$d_$i = vec4f(qkv[(base + row$i) * stride + head * HS4 + $du]);
      let dy$d_$i = vec4f(dy[((base + row$i) * shape.heads + head) * HS4 + $du]);
#end
      s$u_$i += dot(k$u_$d, q$d_$i);
      dp$u_$i += dot(v$u_$d, dy$d_$i);
      let queries = vec4u(query) + vec4u(0u, 1u, 2u, 3u);
      let seen$u = (queries >= vec4u(key$u)) & (queries <= vec4u(last));
      let p$u = exp(select(vec4f(NONE), vec4f(s$u_0, s$u_1, s$u_2, s$u_3) - vec4f(lse0, lse1, lse2, lse3), seen$u));
      let ds$u = p$u * (vec4f(dp$u_0, dp$u_1, dp$u_2, dp$u_3) - vec4f(delta0, delta1, delta2, delta3)) * shape.scale;
      dv$u_$d += p$u[$i] * dy$d_$i;
      dk$u_$d += ds$u[$i] * q$d_$i;
    }
  }
