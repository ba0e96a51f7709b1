import type { Person } from "../api/types";

/** A person's name wherever the server gives an account, a plain name or nobody. */
export function personName(person: Person | string | null | undefined): string {
  if (!person) return "–";
  return typeof person === "string" ? person : person.display_name || person.username;
}

/** "SYNTHETIC^A01^B" as it is read out: "SYNTHETIC, A01 B". */
export function patientName(name: string): string {
  const [family = "", ...given] = name.split("^").filter(Boolean);
  return given.length > 0 ? `${family}, ${given.join(" ")}` : family || "Name unknown";
}
