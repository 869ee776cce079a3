// This tab and the others that hold one model with it: why it waits and for how many, or which part of the model is here and who has the rest.
import { Fragment, type ReactNode } from "react";
import type { PeerId } from "#wire";
import type { DonorSnapshot, IslandPart, IslandView } from "../window/types.ts";
import { sentence } from "../words/format.ts";
import { useWords, type Words } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { PeerName } from "./peers.tsx";

function partLine({ island, format }: Words, part: IslandPart): string {
  switch (part.kind) {
    case "heads":
      return island.heads(part.first, part.count, part.of, format.share(part.columns, part.ofColumns));
    case "layers":
      return island.layers(part.first, part.count, part.of);
    case "rows":
      return island.rows;
  }
}

const exchangeLine = (
  { island, format }: Words,
  { perSecond, ms, hidden, bytesPerSecond }: NonNullable<IslandView["exchange"]>,
): string => island.exchange(perSecond, format.duration(ms), format.share(hidden, 1), format.rate(bytesPerSecond));

const Waiting = ({ island: { isWished, why, ranksMin, waits, over } }: { island: IslandView }) => {
  const { island } = useWords();
  return (
    <>
      {over === null ? null : <p>{island.over(sentence(over))}</p>}
      <p>
        {why !== null ? island.tooLarge(sentence(why)) : isWished ? island.wished : null}{" "}
        {waits === null || waits.missing === 0 ? island.asking(ranksMin) : island.missing(waits.missing, ranksMin)}
      </p>
      {waits === null ? null : <p>{island.because[waits.because]}</p>}
    </>
  );
};

const Together = ({ island: view, donor }: { island: IslandView; donor: DonorSnapshot }) => {
  const words = useWords();
  const { island } = words;
  const { members, rank, part, exchange } = view;
  const name = (peer: PeerId): ReactNode => (
    <PeerName id={peer} name={donor.members.find((member) => member.peer === peer)?.name ?? ""} self={donor.peer} />
  );
  const names = members
    .filter((_, place) => place !== rank && place !== 0)
    .map((peer, i) => (
      <Fragment key={peer}>
        {i > 0 ? island.and : null}
        {name(peer)}
      </Fragment>
    ));
  const line =
    rank === 0 ? island.leads(members.length) : names.length === 0 ? island.partOfTwo : island.partOf(members.length);
  return (
    <p>
      <Rich text={line} leader={name(members[0])} names={names} /> {part === null ? null : partLine(words, part)}{" "}
      {exchange === null ? null : exchangeLine(words, exchange)}
    </p>
  );
};

export const Island = ({ island, donor }: { island: IslandView; donor: DonorSnapshot }) => (
  <div className="island" data-state={island.state}>
    {island.members.length === 0 ? <Waiting island={island} /> : <Together island={island} donor={donor} />}
  </div>
);
