// A new account over the public API, and the calls that the scripts share.
export const url = process.env.FLORIN_URL;
export const graphqlUrl = `${url}/graphql`;
export const socketUrl = graphqlUrl.replace(/^http/, "ws");

export async function call(token, query, variables = {}) {
  const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(graphqlUrl, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const answer = await response.json();
  if (answer.errors) throw new Error(`${response.status} ${JSON.stringify(answer.errors)}`);
  return answer.data;
}

export async function newAccount() {
  const email = `conformance-${crypto.randomUUID()}@example.com`;
  const password = crypto.randomUUID();
  await call(null, "mutation($input: SignUpInput!) { signUp(input: $input) { errors { code } } }", { input: { email, password } });
  const { signIn } = await call(null, "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } errors { code } } }", {
    input: { email, password },
  });
  return signIn.session.accessToken;
}
