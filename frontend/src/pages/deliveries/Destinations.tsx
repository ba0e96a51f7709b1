import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, destinationsQuery } from "../../api/queries";
import type { ReportDestination } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { AddDestination } from "./AddDestination";
import { KINDS } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Deliveries.module.css";

function Row({ destination }: { destination: ReportDestination }) {
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const run = async (action: () => Promise<string>) => {
    setBusy(true);
    setSaid("");
    try {
      setSaid(await action());
      void client.invalidateQueries({ queryKey: ["reports"] });
    } catch (error) {
      setSaid(explain(error));
    } finally {
      setBusy(false);
    }
  };
  const filters = [...destination.modalities, ...destination.location_classes];
  return (
    <tr data-testid="destination-row">
      <td>
        {destination.name}
        <small>
          {KINDS[destination.kind]}, {destination.address}
          {destination.tls ? ", TLS" : ""}
        </small>
      </td>
      <td>{filters.length > 0 ? filters.join(", ") : "every report"}</td>
      <td>
        {!destination.active ? (
          "off"
        ) : destination.failing_since ? (
          <span className={styles.bad}>
            ! does not answer since {formatMoment(destination.failing_since)}
          </span>
        ) : (
          "active"
        )}
        <small>{destination.error}</small>
      </td>
      <td>
        {destination.waiting} waiting
        <small>{destination.dead > 0 ? `${String(destination.dead)} given up` : "none given up"}</small>
      </td>
      <td>{destination.last_sent_at ? formatMoment(destination.last_sent_at) : "nothing yet"}</td>
      <td>
        <span className={paper.actions}>
          <Button
            loading={busy}
            aria-label={`Test ${destination.name}`}
            onClick={() =>
              void run(async () => {
                const { ok, detail } = await api.testDestination(destination.id);
                return `${ok ? "✓" : "!"} ${detail}`;
              })
            }
          >
            Test
          </Button>
          <Button
            disabled={busy}
            aria-label={`${destination.active ? "Switch off" : "Switch on"} ${destination.name}`}
            onClick={() =>
              void run(async () => {
                await api.changeDestination(destination.id, { active: !destination.active });
                return destination.active
                  ? "Off. Amendments of what it got wait for it."
                  : "On. It gets what is signed from now on.";
              })
            }
          >
            {destination.active ? "Switch off" : "Switch on"}
          </Button>
          <span role="status">{said}</span>
        </span>
      </td>
    </tr>
  );
}

/** Where signed reports go, whether each of these places takes them, and the form for another one. */
export function Destinations() {
  const destinations = useQuery(destinationsQuery);
  const [adding, setAdding] = useState(false);
  if (destinations.isPending) return <LoadingRows rows={3} />;
  if (destinations.isError) {
    return <Failed error={destinations.error} onRetry={() => void destinations.refetch()} />;
  }
  const rows = destinations.data.results;
  return (
    <section aria-label="Destinations">
      <div className={paper.tools}>
        <h2>Destinations</h2>
        <span />
        <Button aria-expanded={adding} onClick={() => setAdding(!adding)}>
          {adding ? "Close" : "Add a destination"}
        </Button>
      </div>
      {adding && <AddDestination onDone={() => setAdding(false)} />}
      {rows.length === 0 ? (
        <Empty title="Reports go nowhere yet">
          They stay in the archive, and go to programs that ask by FHIR. Add the RIS, another archive or a
          webhook, and each report signed from then on goes there.
        </Empty>
      ) : (
        <table className={paper.table} aria-label="Destinations of signed reports">
          <thead>
            <tr>
              <th>destination</th>
              <th>gets</th>
              <th>state</th>
              <th>reports</th>
              <th>last sent</th>
              <th aria-label="actions" />
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <Row key={one.id} destination={one} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
