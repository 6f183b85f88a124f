namespace LlmMarketplace.AllInOne;

/// <summary>One of the services: what its host's Program.cs says, as data.</summary>
/// <param name="Name">As others know it: lower case.</param>
/// <param name="Add">The service's AddX.</param>
/// <param name="Map">The service's MapX.</param>
/// <param name="Database">The database it owns and migrates, if any.</param>
internal sealed record ServiceDefinition(string Name, Action<WebApplicationBuilder> Add, Action<WebApplication> Map, string? Database)
{
    /// <summary>The library it comes from: <c>LlmMarketplace.Publishing</c>.</summary>
    public string Assembly => $"LlmMarketplace.{char.ToUpperInvariant(Name[0])}{Name[1..]}";
}
