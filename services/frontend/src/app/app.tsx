import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { portalConfig } from "@/api/config";
import { ApiError, Unreachable } from "@/api/problem";
import { token } from "@/api/session";
import { useStore } from "@/lib/store";
import { ErrorBoundary } from "./error-boundary";
import { router } from "./router";
import { schemeManager } from "./shell/scheme";
import { theme } from "./theme";

const SignIn = lazy(() => import("@/features/session/components/sign-in").then((module) => ({ default: module.SignIn })));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: "always", // "offline" is that the server does not answer, which only asking tells
      retry: (failures, error) => !(error instanceof Unreachable) && !(error instanceof ApiError && error.status < 500) && failures < 2,
      staleTime: 1000,
    },
    mutations: { networkMode: "always" },
  },
});

export function App() {
  return (
    // The variables come as a style sheet (vite.config.ts): the content security policy allows no <style> element.
    <MantineProvider
      theme={theme}
      colorSchemeManager={schemeManager}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <ErrorBoundary>
        <QueryClientProvider client={queries}>
          <Gate />
        </QueryClientProvider>
      </ErrorBoundary>
    </MantineProvider>
  );
}

/** The portal for those whom the API knows, the sign-in page for others. */
function Gate() {
  const known = useStore(token) !== null || portalConfig().auth === "none";
  useEffect(() => {
    if (!known) queries.clear();
  }, [known]);
  return known ? (
    <RouterProvider router={router} />
  ) : (
    <Suspense>
      <SignIn />
    </Suspense>
  );
}
