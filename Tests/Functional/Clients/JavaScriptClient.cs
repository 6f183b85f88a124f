using System.Text.Json.Nodes;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional.Clients;

/// <summary>The npm package <c>openai</c>, in the version that package-lock.json names.</summary>
internal sealed class JavaScriptClient : IOpenAiClient
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "Tests", "Functional", "Clients", "JavaScript");

    public bool ObeysShouldRetry => true;

    public bool SeesErrorEvents => true;

    public string ExceptionOf(int? status) => status switch
    {
        401 => "AuthenticationError",
        404 => "NotFoundError",
        429 => "RateLimitError",
        >= 500 => "InternalServerError",
        _ => "APIError",
    };

    public void RequireInstalled()
    {
        Assert.SkipWhen(Programs.Find("node") is null, "The npm client needs node, which is not installed.");
        Assert.SkipUnless(Directory.Exists(Path.Combine(Folder, "node_modules", "openai")), "The npm package openai is not installed: ./test does so where npm can be had, or 'npm ci' in Tests/Functional/Clients/JavaScript.");
    }

    public Task<JsonNode> RunAsync(Uri address, string key, string operation, string model, params string[] texts) =>
        ScriptClient.RunAsync("node", Path.Combine(Folder, "client.mjs"), new Dictionary<string, string?>(), address, key, operation, model, texts);
}
