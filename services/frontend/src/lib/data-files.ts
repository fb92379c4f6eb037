/** What a data set may be, as a file input understands it. */
export const DATA_FILES = ".csv,.gz,.parquet,.pq,.npz,.zip";
