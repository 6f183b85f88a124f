namespace LlmMarketplace.ApiConventions;

/// <summary>Metadata of routes that take an API key (<c>llm_mk_…</c>) and check it themselves, for the API's document.</summary>
/// <param name="OrToken">Whether they take an access token as well.</param>
public sealed record TakesApiKey(bool OrToken);

/// <summary>What the API's document says of a body that the route reads itself. Unlike <c>Accepts</c> it refuses nothing: what the body may be is the route's to say, in its own words.</summary>
/// <param name="Type">Its form.</param>
/// <param name="MediaType">Its media type.</param>
public sealed record DocumentedBody(Type Type, string MediaType = "application/json");

/// <summary>What the API's document says of a header that the route reads itself; more than one may be named.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
/// <param name="MaxLength">How many characters it may have.</param>
public sealed record DocumentedHeader(string Name, string Description, int MaxLength);
