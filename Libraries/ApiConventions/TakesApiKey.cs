namespace LlmMarketplace.ApiConventions;

/// <summary>Metadata of routes that take an API key (<c>llm_mk_…</c>) and check it themselves, for the API's document.</summary>
/// <param name="OrToken">Whether they take an access token as well.</param>
public sealed record TakesApiKey(bool OrToken);
