/*
 * The service worker: it rings while no page is open, and keeps the shell of the application.
 * It never keeps what the server says of patients: of all answers only the application's own files under
 * /assets/ and one page that says that there is no connection are put aside.
 */
const SHELL = "firstread-shell";
const OFFLINE = "/offline.html";
const ASSETS = "/assets/";
const MOST_FILES = 120;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(SHELL)
      .then((cache) => cache.add(OFFLINE))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

// A file under /assets/ has a hash of its content in its name: what was kept never grows old.
async function asset(request) {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok && answer.type === "basic") {
    await cache.put(request, answer.clone());
    const names = (await cache.keys()).filter((one) => new URL(one.url).pathname.startsWith(ASSETS));
    await Promise.all(names.slice(0, -MOST_FILES).map((one) => cache.delete(one)));
  }
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (url.pathname.startsWith(ASSETS)) {
    event.respondWith(asset(request));
  }
});

// What worklist/alerts/channels/push.py sends: that an alert waits, and a link to answer it. No patient.
self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : { title: "Urgent alert", body: "An alert waits.", url: "/er" };
  event.waitUntil(
    self.registration.showNotification(told.title, {
      body: told.body,
      tag: told.tag,
      renotify: Boolean(told.tag),
      requireInteraction: true,
      icon: "/icon-192.png",
      data: { url: told.url },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url || "/er"));
});
