import test from "ava";
import { newKind, type Member } from "./crowd.js";
import { serverEnds } from "./server-ends.js";

/** As in proc_net_tcp: a server at 127.0.0.1:8080, of whose three clients it has ended the last. */
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0501007F:C350 01 00000010:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:1F90 0501007F:C351 01 00000000:00000020 00:00000000 00000000     0        0 3
   3: 0100007F:1F90 0501007F:C352 04 00000000:00000000 00:00000000 00000000     0        0 4
   4: 0501007F:C350 0100007F:1F90 01 00000000:00000030 00:00000000 00000000     0        0 5
   5: 0501007F:C351 0100007F:1F90 01 00000100:00000000 00:00000000 00000000     0        0 6
   6: 0501007F:C352 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 7
`;

test("what the server has not taken, and who is not its client any more", (t) => {
  const ends = serverEnds({ host: "127.0.0.1", port: 8080 }, TABLE);
  const of = (localPort: number) =>
    ends.of({
      socket: { localAddress: "127.0.1.5", localPort } as Member["socket"],
      ...{
        index: 0,
        kind: newKind(),
        connected: true,
        ours: false,
        sent: 0,
        firstMs: Infinity,
        step: 0,
      },
    });
  t.deepEqual(of(50000), { untakenBytes: 0 });
  t.deepEqual(of(50001), { untakenBytes: 0x120 });
  t.is(of(50002), undefined);
  t.is(of(50003), undefined);
  t.is(ends.of(undefined), undefined);
});
