import { pushKey, subscribePush, unsubscribePush } from "../../api/alerting";
import { Refused } from "../../api/client";

/**
 * unsupported: this browser, or a page without https, cannot; denied: the person forbade it;
 * off and on: of this browser, for whoever is signed in.
 */
export type PushState = "unsupported" | "denied" | "off" | "on";

const WORKER = "/worker.js";

/** The service worker: it rings while no page is open, and keeps the application's own files, nothing else. */
export async function startWorker(): Promise<ServiceWorkerRegistration | null> {
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  return workers ? workers.register(WORKER) : null;
}

function supported(): boolean {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

async function subscription(): Promise<PushSubscription | null> {
  const worker = await startWorker();
  return (await worker?.pushManager.getSubscription()) ?? null;
}

/** Bytes of base64url without padding, as the push manager wants its key. */
export function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

async function tell(one: PushSubscription): Promise<void> {
  const { endpoint, keys } = one.toJSON();
  await subscribePush({
    endpoint: endpoint ?? one.endpoint,
    p256dh: keys?.p256dh ?? "",
    auth: keys?.auth ?? "",
    browser: navigator.userAgent.slice(0, 120),
  });
}

/** How it stands. A browser that is on rings from now on for whoever is signed in, so the server is told. */
export async function pushState(): Promise<PushState> {
  if (!supported()) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  const one = await subscription();
  if (!one) return "off";
  await tell(one);
  return "on";
}

/** Asks the person and the browser's push service; works inside a click. */
export async function switchOn(): Promise<PushState> {
  if ((await Notification.requestPermission()) !== "granted") return "denied";
  const worker = await startWorker();
  if (!worker) return "unsupported";
  await navigator.serviceWorker.ready;
  const { key } = await pushKey();
  let one: PushSubscription;
  try {
    one = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) });
  } catch {
    throw new Refused("The browser's push service is not reached. Try again, or ask your administrator.");
  }
  await tell(one);
  return "on";
}

export async function switchOff(): Promise<PushState> {
  const one = await subscription();
  if (one) {
    await unsubscribePush(one.endpoint);
    await one.unsubscribe();
  }
  return "off";
}
