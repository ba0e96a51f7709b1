import { readFileSync } from "node:fs";

import { beforeEach, describe, expect, it } from "vitest";

import { bytesOf } from "./push";

/** The service worker as the browser runs it: a script of its own, not part of the bundle. */
const source = readFileSync(new URL("../../../public/worker.js", import.meta.url), "utf8");

interface Event {
  request?: { url: string; method: string; mode: string };
  data?: { json: () => unknown };
  notification?: { close: () => void; data: { url: string } };
  respondWith?: (answer: Promise<unknown>) => void;
  waitUntil: (work: Promise<unknown>) => void;
}

const handlers = new Map<string, (event: Event) => void>();
const kept = new Map<string, unknown>();
const shown: { title: string; body: string }[] = [];
const opened: string[] = [];
let online = true;

const cache = {
  add: (path: string) => Promise.resolve(kept.set(path, { body: "offline page" })),
  match: (request: { url: string }) => Promise.resolve(kept.get(request.url)),
  put: (request: { url: string }, answer: unknown) => Promise.resolve(kept.set(request.url, answer)),
  keys: () => Promise.resolve([...kept.keys()].map((url) => ({ url: new URL(url, "https://site").href }))),
  delete: () => Promise.resolve(true),
};

beforeEach(() => {
  handlers.clear();
  kept.clear();
  shown.length = 0;
  opened.length = 0;
  online = true;
  const self = {
    addEventListener: (name: string, handler: (event: Event) => void) => handlers.set(name, handler),
    location: { origin: "https://site" },
    skipWaiting: () => Promise.resolve(),
    clients: {
      claim: () => Promise.resolve(),
      openWindow: (url: string) => Promise.resolve(opened.push(url)),
    },
    registration: {
      showNotification: (title: string, { body }: { body: string }) =>
        Promise.resolve(shown.push({ title, body })),
    },
  };
  const caches = {
    open: () => Promise.resolve(cache),
    match: (path: string) => Promise.resolve(kept.get(path)),
  };
  const answer = (request: { url: string }) => ({
    ok: true,
    type: "basic",
    url: request.url,
    clone: () => "copy",
  });
  const fetch = (request: { url: string }) =>
    online ? Promise.resolve(answer(request)) : Promise.reject(new TypeError("offline"));
  new Function("self", "caches", "fetch", source)(self, caches, fetch);
});

async function run(name: string, event: Partial<Event>): Promise<unknown> {
  let work: Promise<unknown> | undefined;
  const note = (one: Promise<unknown>) => {
    work = one;
  };
  handlers.get(name)?.({ ...event, waitUntil: note, respondWith: note });
  return work;
}

const get = (path: string, mode = "cors") =>
  run("fetch", { request: { url: `https://site${path}`, method: "GET", mode } });

describe("the service worker", () => {
  it("keeps the application's own files and nothing that the server says of patients", async () => {
    await run("install", {});
    await get("/assets/index-abc.js");
    for (const path of ["/api/er/patients/", "/api/me/", "/dicom-web/studies", "/api/alerts/5/preview/"])
      expect(await get(path)).toBeUndefined();
    await get("/er", "navigate");
    expect([...kept.keys()]).toEqual(["/offline.html", "https://site/assets/index-abc.js"]);
  });

  it("says that there is no connection, where a page would be", async () => {
    await run("install", {});
    online = false;
    expect(await get("/er", "navigate")).toEqual({ body: "offline page" });
  });

  it("rings with the words it got, and opens the link that answers", async () => {
    await run("push", {
      data: { json: () => ({ title: "Urgent alert", body: "Alert 5 waits", url: "/a/x" }) },
    });
    expect(shown).toEqual([{ title: "Urgent alert", body: "Alert 5 waits" }]);
    await run("notificationclick", { notification: { close: () => undefined, data: { url: "/a/x" } } });
    expect(opened).toEqual(["/a/x"]);
  });
});

describe("the site's key", () => {
  it("is read as bytes", () => {
    expect([...bytesOf("-_8B")]).toEqual([251, 255, 1]);
  });
});
