using System.Text.Json.Nodes;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional.Clients;

/// <summary>The Python package <c>openai</c>, from wheels that may lie beside the repository.</summary>
internal sealed class PythonClient : IOpenAiClient
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "Tests", "Functional", "Clients", "Python");
    private static readonly string Packages = Path.Combine(Folder, "packages");

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
        Assert.SkipWhen(Programs.Find("python3") is null, "The Python client needs python3, which is not installed.");
        Assert.SkipUnless(Directory.Exists(Path.Combine(Packages, "openai")), "The Python package openai is not installed: ./test does so from ../shared/clients/python where that is there, for CPython 3.11.");
    }

    public Task<JsonNode> RunAsync(Uri address, string key, string operation, string model, params string[] texts) =>
        ScriptClient.RunAsync("python3", Path.Combine(Folder, "client.py"), new Dictionary<string, string?> { ["PYTHONPATH"] = Packages }, address, key, operation, model, texts);
}
