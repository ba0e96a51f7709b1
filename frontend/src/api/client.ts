import type { ProblemDocument } from "./types";

/** An answer of the server that is not a success; `document` is its problem document. */
export class Problem extends Error {
  readonly status: number;
  readonly document: ProblemDocument;

  constructor(document: ProblemDocument) {
    super(document.detail ?? document.title);
    this.name = "Problem";
    this.status = document.status;
    this.document = document;
  }
}

/** The server could not be reached at all: nothing was sent or nothing came back. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached. What you typed is kept here; it is sent when the server answers.");
    this.name = "Unreachable";
  }
}

/** The page itself declines to do something, and says why in words for the reader. */
export class Refused extends Error {
  override readonly name = "Refused";
}

export function cookie(name: string): string {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

export function csrfToken(): string {
  return cookie("csrftoken") || cookie("__Host-csrftoken") || cookie("__Secure-csrftoken");
}

/** Sends the browser to the sign-in page and back here afterwards. */
export function signInAgain(): void {
  const next = encodeURIComponent(window.location.pathname + window.location.search);
  window.location.assign(`/accounts/login/?next=${next}`);
}

const ME = "/api/me/";
let checkedAt = 0;

/** A refusal may mean "not your role" or "your session ended": the account's own page tells which. */
function checkSession(): void {
  if (Date.now() - checkedAt < 5_000) return;
  checkedAt = Date.now();
  void request(ME).catch(() => undefined);
}

/** Reads a failed answer into a Problem; a server that does not speak problem documents still gets words. */
export function problemFrom(status: number, body: string): Problem {
  try {
    const document = JSON.parse(body) as Partial<ProblemDocument>;
    return new Problem({ ...document, title: document.title ?? "Request failed", status });
  } catch {
    return new Problem({ title: `The server answered ${String(status)}`, status });
  }
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  /** Lets the request outlive the page, for the last save before it closes. */
  keepalive?: boolean;
}

/** Calls the API with the session cookie. Signed out leads to the sign-in page. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const { method = "GET", body, signal, keepalive } = options;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      keepalive,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Unreachable();
  }
  const text = await response.text();
  if (!response.ok) {
    const problem = problemFrom(response.status, text);
    if (response.status === 401 || (response.status === 403 && path === ME)) signInAgain();
    else if (response.status === 403) checkSession();
    throw problem;
  }
  return (text ? JSON.parse(text) : null) as T;
}

/** Builds a query string; empty values are left out, lists repeat the name. */
export function query(params: Record<string, string | number | boolean | string[] | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "" || value === false) continue;
    if (Array.isArray(value)) value.forEach((one) => search.append(name, one));
    else search.append(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

/** What to show a reader when something failed: what happened and what to do next. */
export function explain(error: unknown): string {
  if (error instanceof Problem || error instanceof Unreachable || error instanceof Refused) {
    return error.message;
  }
  return "Something went wrong on this page. Load it again; if it stays, tell your PACS administrator.";
}
