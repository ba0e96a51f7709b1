import type { Person } from "../api/types";

/** A person's name, or a dash for nobody. */
export function personName(person: Person | null | undefined): string {
  return person ? person.display_name || person.username : "–";
}

/** "SYNTHETIC^A01^B" as it is read out: "SYNTHETIC, A01 B". */
export function patientName(name: string): string {
  const [family = "", ...given] = name.split("^").filter(Boolean);
  return given.length > 0 ? `${family}, ${given.join(" ")}` : family || "Name unknown";
}
