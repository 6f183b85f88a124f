using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>How a call ended for its caller.</summary>
internal enum Ending
{
    /// <summary>The whole answer, or the stream to its last event.</summary>
    Whole,

    /// <summary>A stream that ended with an error event.</summary>
    Cut,

    /// <summary>The provider's failure: of an admitted call, or of one that was not admitted because the provider is known to be away.</summary>
    Failed,

    /// <summary>Not admitted.</summary>
    Refused,

    /// <summary>The connection broke; whatever became of the call.</summary>
    Broken,
}

/// <summary>A call as its caller saw it. A call whose connection broke before its headers has no id.</summary>
/// <param name="Id">Its <c>x-request-id</c>, or empty.</param>
/// <param name="Gateway">Which of the two gateways it was sent to.</param>
/// <param name="Status">HTTP status; 0 without one.</param>
/// <param name="Ending">How it ended.</param>
internal sealed record Seen(Guid Id, int Gateway, int Status, Ending Ending)
{
    public override string ToString() => $"{Id} {Gateway} {Status} {Ending}";

    public static Seen Parse(string line) =>
        line.Split(' ') is [var id, var gateway, var status, var ending] ? new(Guid.Parse(id), int.Parse(gateway, null), int.Parse(status, null), Enum.Parse<Ending>(ending)) : throw new FormatException(line);
}

/// <summary>
/// The clients: callers that call on, one call after the other, half of them to each gateway, until they are asked to stop; calls under way go to their end. Plain and streamed in turn; every
/// other stream is a long one, of three seconds, so that whenever something breaks there are streams under way.
/// </summary>
internal static class Callers
{
    private const int Short = 10;
    private const int Long = 200;
    private static readonly TimeSpan AfterTrouble = TimeSpan.FromMilliseconds(100);

    public static async Task<int> RunAsync(Uri[] gateways, string key, string ledgerFile, int callers, CancellationToken stop)
    {
        using var ledger = new Ledger(ledgerFile);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = callers }) { Timeout = TimeSpan.FromSeconds(100) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        Console.WriteLine("ready");
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
        {
            for (var call = caller; !stop.IsCancellationRequested; call++)
            {
                var gateway = caller % gateways.Length;
                var seen = await CallAsync(client, gateways[gateway], gateway, streamed: call % 2 == 1, call % 4 == 3 ? Long : Short);
                ledger.Write(seen.ToString());
                if (seen.Ending is not Ending.Whole)
                {
                    await Task.Delay(AfterTrouble, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }));
        return 0;
    }

    private static async Task<Seen> CallAsync(HttpClient client, Uri address, int gateway, bool streamed, int tokens)
    {
        var body = $$"""{"model":"faults/chat","max_tokens":{{tokens}},"stream":{{(streamed ? "true" : "false")}},"messages":[{"role":"user","content":"Is this so?"}]}""";
        var (id, status) = (Guid.Empty, 0);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "v1/chat/completions")) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            (id, status) = (Guid.Parse(answer.Headers.GetValues("x-request-id").Single()), (int)answer.StatusCode);
            var text = await answer.Content.ReadAsStringAsync();
            return new Seen(id, gateway, status, status switch
            {
                200 when !streamed || text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal) => Ending.Whole,
                200 when text.Contains("data: {\"error\":", StringComparison.Ordinal) => Ending.Cut,
                200 => Ending.Broken, // A stream that just ends is no clean end.
                _ when JsonDocument.Parse(text).RootElement.GetProperty("error").GetProperty("type").GetString() == "provider_error" => Ending.Failed,
                _ => Ending.Refused,
            });
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or TaskCanceledException or JsonException)
        {
            return new Seen(id, gateway, status, Ending.Broken);
        }
    }
}
