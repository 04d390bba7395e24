import test from "ava";
import { didYouMean, editDistance, nearest } from "./suggest.js";

test("edits are counted", (t) => {
  t.is(editDistance("", "abc"), 3);
  t.is(editDistance("handler", "handler"), 0);
  t.is(editDistance("handlr", "handler"), 1);
  t.is(editDistance("hadnler", "handler"), 1);
  t.is(editDistance("kitten", "sitting"), 3);
});

test("the nearest spelling is found, a far one is not", (t) => {
  const keys = ["listen", "routes", "limits", "timeouts"];
  t.is(nearest("lisen", keys), "listen");
  t.is(nearest("ROUTES", keys), "routes");
  t.is(nearest("timeout", keys), "timeouts");
  t.is(nearest("database", keys), undefined);
  t.is(nearest("", keys), undefined);
  t.is(didYouMean("limit", keys), ' (did you mean "limits"?)');
  t.is(didYouMean("zzz", keys), "");
});
