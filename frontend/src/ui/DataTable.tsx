import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFns,
  tableFeatures,
  useTable,
  type ColumnDef,
} from "@tanstack/react-table";

import { Icon } from "./icons";
import styles from "./DataTable.module.css";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
});

export type Columns<T extends object> = ColumnDef<typeof features, T>[];

/** A typed column helper for tables of this look. */
export function columnsOf<T extends object>() {
  return createColumnHelper<typeof features, T>();
}

interface Props<T extends object> {
  label: string;
  columns: Columns<T>;
  data: T[];
  rowKey: (row: T) => string;
  testid?: string;
}

/** A plain sortable table. */
export function DataTable<T extends object>({ label, columns, data, rowKey, testid }: Props<T>) {
  const table = useTable({ features, columns, data, getRowId: rowKey });
  return (
    <table className={styles.table} aria-label={label}>
      <thead>
        {table.getHeaderGroups().map((group) => (
          <tr key={group.id}>
            {group.headers.map((header) => {
              const sorted = header.column.getIsSorted();
              const aria = sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none";
              return (
                <th key={header.id} aria-sort={aria}>
                  {header.column.getCanSort() ? (
                    <button type="button" onClick={header.column.getToggleSortingHandler()}>
                      <table.FlexRender header={header} />
                      {sorted && <Icon name={sorted === "asc" ? "up" : "down"} size={11} />}
                    </button>
                  ) : (
                    <table.FlexRender header={header} />
                  )}
                </th>
              );
            })}
          </tr>
        ))}
      </thead>
      <tbody>
        {table.getRowModel().rows.map((row) => (
          <tr key={row.id} data-testid={testid} data-key={row.id}>
            {row.getAllCells().map((cell) => (
              <td key={cell.id}>
                <table.FlexRender cell={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
