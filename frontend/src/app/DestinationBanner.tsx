import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "wouter";

import { troublesQuery } from "../api/queries";
import type { Me } from "../api/types";
import { useLiveInterval } from "../live/live";
import { hasRole } from "./session";
import styles from "./Shell.module.css";

function Banner() {
  const interval = useLiveInterval();
  const troubles = useQuery({ ...troublesQuery, refetchInterval: interval });
  const [path] = useLocation();
  const rows = troubles.data ?? [];
  if (rows.length === 0 || path === "/deliveries") return null;
  return (
    <p className={styles.trouble} role="status">
      ! Signed reports do not reach {rows.map((one) => one.name).join(", ")}.{" "}
      <Link href="/deliveries">See what waits</Link>
    </p>
  );
}

/** Tells administrators, on whatever page they are, that reports do not arrive somewhere. */
export function DestinationBanner({ me }: { me: Me }) {
  return hasRole(me, "pacs_administrator") ? <Banner /> : null;
}
