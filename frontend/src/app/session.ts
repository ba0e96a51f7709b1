import { useSuspenseQuery } from "@tanstack/react-query";

import { csrfToken } from "../api/client";
import { meQuery } from "../api/queries";
import type { Me, Role } from "../api/types";
import { windows } from "../live/windows";

export function useMe(): Me {
  return useSuspenseQuery(meQuery).data;
}

export function hasRole(me: Me, ...roles: Role[]): boolean {
  return roles.some((role) => me.roles.includes(role));
}

export interface Place {
  path: string;
  label: string;
  roles: readonly Role[];
  /** About the department rather than a patient: in one menu, so that the bar stays short. */
  department?: true;
}

/** The pages of the house and who works there. */
export const places: readonly Place[] = [
  { path: "/", label: "Worklist", roles: ["radiologist", "qa_reviewer"] },
  { path: "/co-sign", label: "Co-sign", roles: ["radiologist"] },
  { path: "/er", label: "ER", roles: ["er_staff", "radiologist"] },
  { path: "/quality", label: "Quality", roles: ["qa_reviewer"] },
  { path: "/archive", label: "Archive", roles: ["pacs_administrator", "radiologist", "qa_reviewer"] },
  { path: "/deliveries", label: "Deliveries", roles: ["pacs_administrator"] },
  {
    path: "/rota",
    label: "Rota",
    roles: ["radiologist", "er_staff", "qa_reviewer", "pacs_administrator"],
    department: true,
  },
  {
    path: "/simulation",
    label: "Simulation",
    roles: ["radiologist", "qa_reviewer", "pacs_administrator"],
    department: true,
  },
  { path: "/models", label: "Models", roles: ["pacs_administrator", "qa_reviewer"] },
  {
    path: "/alert-fatigue",
    label: "Alert fatigue",
    roles: ["radiologist", "qa_reviewer", "pacs_administrator"],
    department: true,
  },
  {
    path: "/policies/alerts",
    label: "Alert policy",
    roles: ["pacs_administrator", "radiologist", "er_staff", "qa_reviewer"],
    department: true,
  },
  { path: "/reading-modes", label: "Reading modes", roles: ["pacs_administrator"], department: true },
  {
    path: "/policies/priority",
    label: "Priority",
    roles: ["pacs_administrator", "radiologist", "qa_reviewer"],
    department: true,
  },
  {
    path: "/pushed-back",
    label: "Pushed back",
    roles: ["radiologist", "qa_reviewer", "pacs_administrator"],
    department: true,
  },
  {
    path: "/report-templates",
    label: "Report templates",
    roles: ["pacs_administrator"],
    department: true,
  },
  { path: "/guide", label: "Guide", roles: [] },
];

export function placesFor(me: Me): readonly Place[] {
  return places.filter((place) => place.roles.length === 0 || hasRole(me, ...place.roles));
}

/** Where this user's day begins: the reader's list, the ER wall, the cases or the archive. */
export function homeFor(me: Me): string {
  if (hasRole(me, "radiologist")) return "/";
  if (hasRole(me, "er_staff")) return "/er";
  if (hasRole(me, "qa_reviewer")) return "/quality";
  return placesFor(me)[0]?.path ?? "/guide";
}

const leaving = new Set<() => Promise<unknown>>();

/** Registers work that must reach the server before the session ends (an unsaved report). */
export function beforeSignOut(save: () => Promise<unknown>): () => void {
  leaving.add(save);
  return () => leaving.delete(save);
}

const saveAll = () => Promise.allSettled([...leaving].map((save) => save()));
windows.save = () => (leaving.size > 0 ? saveAll() : null);

/** Saves what is open in every window, ends the session and goes to the sign-in page. */
export async function signOut(next = ""): Promise<void> {
  await Promise.all([saveAll(), windows.saveOthers()]);
  await fetch("/accounts/logout/", {
    method: "POST",
    headers: { "X-CSRFToken": csrfToken() },
    credentials: "same-origin",
    redirect: "manual",
  }).catch(() => undefined);
  window.location.assign(`/accounts/login/${next ? `?next=${encodeURIComponent(next)}` : ""}`);
}
