import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { Link, useSearchParams } from "wouter";

import { studiesQuery } from "../../api/queries";
import type { Study } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { useLiveInterval } from "../../live/live";
import { formatDay, formatMoment } from "../../time/dates";
import { columnsOf, DataTable } from "../../ui/DataTable";
import { Icon } from "../../ui/icons";
import { patientName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import styles from "./Archive.module.css";
import { Nodes } from "./Nodes";
import { Quarantine } from "./Quarantine";
import { UploadPanel } from "./UploadPanel";

const study = columnsOf<Study>();

function studyColumns(reads: boolean) {
  return study.columns([
    study.accessor((row) => patientName(row.patient.name), { id: "patient", header: "patient" }),
    study.accessor((row) => row.patient.id, { id: "id", header: "ID" }),
    study.accessor("study_date", {
      header: "study date",
      cell: (cell) => formatDay(cell.getValue()),
    }),
    study.accessor((row) => row.modalities.join(", "), { id: "modality", header: "modality" }),
    study.accessor("study_description", { header: "study" }),
    study.accessor("accession_number", { header: "accession" }),
    study.accessor("number_of_series", { header: "series" }),
    study.accessor("number_of_instances", { header: "images" }),
    study.accessor("received_at", {
      header: "received",
      cell: (cell) => formatMoment(cell.getValue()),
    }),
    study.display({
      id: "open",
      header: "",
      cell: (cell) => {
        const uid = cell.row.original.study_instance_uid;
        return (
          <span className={styles.links}>
            {reads && <Link href={`/read/${uid}`}>Read</Link>}
            <a href={`/viewer/viewer?StudyInstanceUIDs=${uid}`} target="_blank" rel="noreferrer">
              Images
            </a>
          </span>
        );
      },
    }),
  ]);
}

const withReading = studyColumns(true);
const imagesOnly = studyColumns(false);

const NO_STUDIES: Study[] = [];

function Studies({ reads, mayUpload }: { reads: boolean; mayUpload: boolean }) {
  const [params, setParams] = useSearchParams();
  const search = params.get("search") ?? "";
  const interval = useLiveInterval();
  const studies = useQuery({ ...studiesQuery(useDeferredValue(search)), refetchInterval: interval });
  const rows = studies.data?.results ?? NO_STUDIES;
  const count = studies.data?.count ?? 0;
  return (
    <>
      <div className={styles.bar}>
        <TextInput
          className={styles.search}
          type="search"
          aria-label="Search studies"
          placeholder="Search name, ID, accession, description"
          leftSection={<Icon name="search" />}
          value={search}
          onChange={(event) => {
            const text = event.currentTarget.value;
            setParams(text ? { search: text } : {}, { replace: true });
          }}
        />
        <span className={styles.count}>
          {rows.length < count
            ? `the latest ${String(rows.length)} of ${String(count)}: search to narrow`
            : `${String(count)} studies`}
        </span>
      </div>
      {studies.isError && <Failed error={studies.error} onRetry={() => void studies.refetch()} />}
      {studies.isPending && <LoadingRows />}
      {studies.isSuccess && rows.length === 0 && (
        <Empty title={search ? "No study fits" : "The archive is empty"}>
          {search
            ? "Search by a part of the name, the ID or the accession number."
            : mayUpload
              ? "Drop files above, or send a study from a modality by DICOM."
              : "Studies stand here as soon as a modality sends them."}
        </Empty>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Studies"
          columns={reads ? withReading : imagesOnly}
          data={rows}
          rowKey={(row) => row.study_instance_uid}
          testid="study-row"
        />
      )}
    </>
  );
}

type Tab = "studies" | "quarantine" | "nodes";
const TABS: readonly (readonly [Tab, string])[] = [
  ["studies", "Studies"],
  ["quarantine", "Quarantine"],
  ["nodes", "DICOM peers"],
];

/** The archive as a place: bring studies in, find them, see what was kept out. */
export default function ArchivePage() {
  const me = useMe();
  const administrator = hasRole(me, "pacs_administrator");
  const [tab, setTab] = useState<Tab>("studies");
  return (
    <>
      <div className={styles.page}>
        {administrator && <UploadPanel />}
        {administrator && (
          <div className={styles.tabs} role="tablist">
            {TABS.map(([name, label]) => (
              <button
                key={name}
                type="button"
                role="tab"
                aria-selected={tab === name}
                onClick={() => setTab(name)}
              >
                {label}
              </button>
            ))}
          </div>
        )}
        {tab === "studies" ? (
          <Studies reads={hasRole(me, "radiologist", "qa_reviewer")} mayUpload={administrator} />
        ) : tab === "quarantine" ? (
          <Quarantine />
        ) : (
          <Nodes />
        )}
      </div>
      <PageFooter>AE title {me.site.ae_title}</PageFooter>
    </>
  );
}
