import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link } from "@tanstack/react-router";
import { jobsPageQuery } from "@/api/queries";
import { Empty, Page } from "@/components/page";
import { compareSearch, jobSearch, jobsSearch, submitSearch } from "@/lib/search";
import { PageBroke } from "./error-boundary";
import { queries } from "./queries";
import { Shell } from "./shell/shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Page title="Not found">
      <Empty title="There is no such page" action={<Link to="/">Go home</Link>} />
    </Page>
  ),
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/home/components/home"), "Home"),
});

const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: jobsSearch,
  loaderDeps: ({ search }) => search,
  // Asked for while the page's own script loads, and not waited for: the page says what is on its way, and what went wrong.
  loader: ({ deps }) => void queries.prefetchQuery(jobsPageQuery(deps, Date.now())),
  component: lazyRouteComponent(() => import("@/features/jobs/components/jobs"), "Jobs"),
});

const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$jobId",
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => import("@/features/job/components/job"), "Job"),
});

const submit = createRoute({
  getParentRoute: () => root,
  path: "/submit",
  validateSearch: submitSearch,
  component: lazyRouteComponent(() => import("@/features/submit/components/submit"), "Submit"),
});

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: compareSearch,
  component: lazyRouteComponent(() => import("@/features/compare/components/compare"), "Compare"),
});

const datasets = createRoute({
  getParentRoute: () => root,
  path: "/datasets",
  component: lazyRouteComponent(() => import("@/features/datasets/components/datasets"), "Datasets"),
});

const models = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(() => import("@/features/models/components/models"), "Models"),
});

const cluster = createRoute({
  getParentRoute: () => root,
  path: "/cluster",
  component: lazyRouteComponent(() => import("@/features/cluster/components/cluster"), "Cluster"),
});

export const router = createRouter({
  routeTree: root.addChildren([home, jobs, job, submit, compare, datasets, models, cluster]),
  defaultPreload: "intent",
  defaultErrorComponent: ({ error }) => <PageBroke error={error} />,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
