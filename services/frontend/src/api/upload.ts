/** Uploads of code and data sets, with their progress. */
import { answered, unanswered } from "./connection";
import type { UploadView } from "./generated";
import { ApiError, errorOf, Unreachable } from "./problem";
import { token } from "./session";

/** Sends the file; `onProgress` hears the part that is sent, from 0 to 1. Raises ApiError. */
export function uploadFile(kind: "code" | "datasets", file: File, onProgress: (part: number) => void): Promise<UploadView> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest(); // fetch does not tell how much is sent
    call.open("POST", `/api/v1/${kind}`);
    call.responseType = "json";
    const current = token.get();
    if (current) call.setRequestHeader("Authorization", `Bearer ${current}`);
    call.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : 0);
    call.onload = () => {
      answered();
      if (call.status === 200 || call.status === 201) resolve(call.response as UploadView);
      else reject(uploadProblem(errorOf(call.status, call.response)));
    };
    call.onerror = () => {
      unanswered();
      reject(new Unreachable());
    };
    const form = new FormData();
    form.append("file", file, file.name);
    call.send(form);
  });
}

/** What is wrong with a file is in the field's message, which says more than the summary. */
function uploadProblem(error: ApiError): ApiError {
  const [field] = error.fields;
  if (!field) return error;
  return new ApiError(`${field.message}${field.fix ? `; ${field.fix}` : ""}`, error.status, error.fields);
}
