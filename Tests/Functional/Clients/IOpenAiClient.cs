using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Clients;

/// <summary>
/// A client that nobody here wrote, as it is delivered. An outcome is what the client's own types say:
/// <c>{text, finish, usage: {input, output}, requestId, requests}</c> and the like, or <c>{error: {name, status, code, requestId}, requests}</c>;
/// <c>requests</c> counts what it sent, its own retries included.
/// </summary>
internal interface IOpenAiClient
{
    /// <summary>The client's own exception for this status; null: for an error inside a stream.</summary>
    string ExceptionOf(int? status);

    /// <summary>Whether it obeys <c>x-should-retry</c>.</summary>
    bool ObeysShouldRetry { get; }

    /// <summary>Whether it throws when a stream ends with an error event; otherwise the missing finish reason tells.</summary>
    bool SeesErrorEvents { get; }

    /// <summary>Ends the test as skipped, with the reason, where the client cannot be had.</summary>
    void RequireInstalled();

    /// <summary>Does one of <c>models</c>, <c>embed</c>, <c>chat</c>, <c>repeat</c> (one chat twice, with the second text as <c>Idempotency-Key</c>), <c>stream</c>, <c>tools</c>.</summary>
    Task<JsonNode> RunAsync(Uri address, string key, string operation, string model, params string[] texts);
}
