// The console: GraphiQL over our HTTP and WebSocket doors, with a way to sign in. Built by build.mjs into ../console.js.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./console.css";

const HTTP_URL = "/graphql";
const WS_URL = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${HTTP_URL}`;

const SIGN_IN = `mutation SignIn($email: String!, $password: String!) {
  signIn(input: { email: $email, password: $password }) {
    session { accessToken }
    errors { message }
  }
}`;

const FIRST_QUERY = `# Sign in above, or put {"Authorization": "Bearer ..."} among the headers below.
# Ctrl+Enter runs the operation under the cursor.

query FirstLook {
  me {
    email
    budgets {
      name
      amount { amount currency }
      utilization { amountSpent { amount currency } percentageUsed isExceeded }
    }
    transactions(first: 5) {
      nodes { transactionDate merchantName amount { amount currency } category { displayName } }
    }
  }
}

subscription Live {
  budgetUpdated {
    budget {
      name
      utilization { amountSpent { amount } amountRemaining { amount } percentageUsed version }
    }
  }
}
`;

// The token lives in this page's memory only: a reload signs out.
const session = { authorization: null };

function withAuthorization(headers) {
  const given = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  return session.authorization ? { authorization: session.authorization, ...given } : given;
}

function makeFetcher() {
  let socketAuthorization = null;
  const wsClient = createClient({
    url: WS_URL,
    lazyCloseTimeout: 1000,
    connectionParams: () => ({ authorization: socketAuthorization }),
  });
  const fetcher = createGraphiQLFetcher({
    url: HTTP_URL,
    wsClient,
    fetch: (url, init) => fetch(url, { ...init, headers: withAuthorization(init.headers) }),
  });
  return (request, options) => {
    socketAuthorization = withAuthorization(options?.headers).authorization ?? null;
    return fetcher(request, options);
  };
}

async function signIn(email, password) {
  const response = await fetch(HTTP_URL, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query: SIGN_IN, variables: { email, password } }),
  });
  const answer = await response.json();
  const payload = answer.data?.signIn;
  const token = payload?.session?.accessToken;
  if (!token) throw new Error((payload?.errors?.[0] ?? answer.errors?.[0])?.message ?? "Signing in failed.");
  return `Bearer ${token}`;
}

function SignIn({ onChange }) {
  const [user, setUser] = useState(null);
  const [problem, setProblem] = useState("");

  function remember(authorization, email) {
    session.authorization = authorization;
    setUser(email);
    setProblem("");
    onChange();
  }

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    try {
      remember(await signIn(form.get("email"), form.get("password")), form.get("email"));
    } catch (error) {
      setProblem(error.message);
    }
  }

  if (user) {
    return (
      <div className="session">
        <span>{user}</span>
        <button type="button" onClick={() => remember(null, null)}>Forget the token</button>
      </div>
    );
  }
  return (
    <form className="session" onSubmit={submit}>
      <input name="email" type="email" placeholder="email" aria-label="Email" autoComplete="username" required />
      <input name="password" type="password" placeholder="password" aria-label="Password" autoComplete="current-password" required />
      <button type="submit">Sign in</button>
      <span className="problem" role="status">{problem}</span>
    </form>
  );
}

function Console() {
  const [fetcher, setFetcher] = useState(makeFetcher);
  return (
    <>
      <SignIn onChange={() => setFetcher(makeFetcher)} />
      <div className="explorer">
        <GraphiQL fetcher={fetcher} defaultQuery={FIRST_QUERY} shouldPersistHeaders={false} />
      </div>
    </>
  );
}

createRoot(document.getElementById("console")).render(<StrictMode><Console /></StrictMode>);
