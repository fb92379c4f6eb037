import "@/styles";
import { createRoot } from "react-dom/client";
import { setUpClient } from "@/api/client";
import { loadConfig } from "@/api/config";
import { takeTokenFromAddress } from "@/api/session";
import { App } from "@/app/app";

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no #root");

takeTokenFromAddress(window.location, window.history);
setUpClient();
await loadConfig();
createRoot(place).render(<App />);
