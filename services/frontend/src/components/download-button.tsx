import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { downloadFile } from "@/api/download";
import { messageOf } from "@/api/problem";
import { Icon } from "./icon";
import { notifyFailed } from "./notices";

interface DownloadButtonProps {
  /** Below /api/v1. */
  path: string;
  /** Of the file that is saved. */
  name: string;
  /** What is saved, where "Download" does not say it. */
  label?: string;
}

/** Saves a file of the API. */
export function DownloadButton({ path, name, label }: DownloadButtonProps) {
  const download = useMutation({
    mutationFn: () => downloadFile(path, name),
    onError: (error) => notifyFailed(messageOf(error)),
  });
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<Icon name="down" size={14} />}
      aria-label={label}
      loading={download.isPending}
      onClick={() => download.mutate()}
    >
      Download
    </Button>
  );
}
