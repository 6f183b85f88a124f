using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.ProviderNetwork;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Where a delivery goes, and what signs it.</summary>
internal sealed record WebhookTarget(Guid WebhookId, string Url, string OrganisationSlug, byte[] Secret, byte[]? PreviousSecret, DateTimeOffset? PreviousUntil)
{
    public static WebhookTarget Of(WebhookRow row) => new(row.Id, row.Url, row.OrganisationSlug, row.Secret, row.PreviousSecret, row.PreviousUntil);
}

/// <summary>What came of an attempt.</summary>
/// <param name="Status">HTTP status, or null when there was none.</param>
/// <param name="Error">Why there was none.</param>
/// <param name="RetryAfter">How long the receiver wants to be left alone.</param>
internal readonly record struct SendResult(int? Status, string? Error, TimeSpan RetryAfter = default)
{
    public bool IsDelivered => Status is >= 200 and < 300;

    /// <summary>Whether the receiver wants nothing any more.</summary>
    public bool IsGone => Status == 410;
}

/// <summary>
/// One attempt to deliver an event, by the rules of Standard Webhooks (https://www.standardwebhooks.com): a POST with <c>webhook-id</c>, <c>webhook-timestamp</c> and <c>webhook-signature</c>. Connections are made and
/// guarded as those to providers are; redirects are not followed; of the answer the status counts, and little more is read.
/// </summary>
internal sealed class SendWebhook : IDisposable
{
    public const string Timeout = "timeout";
    private const int MaxAnswerBytes = 16 * 1024;
    private const int MaxHeaderKilobytes = 16;
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(1);
    private static readonly ProductInfoHeaderValue Agent = new("LlmMarketplace-Webhooks", "1");
    private readonly HttpMessageInvoker invoker;
    private readonly LocalProviders localProviders;
    private readonly WebhookSecrets secrets;
    private readonly TimeProvider time;
    private readonly TimeSpan timeout;

    public SendWebhook(ProviderConnections connections, LocalProviders localProviders, WebhookSecrets secrets, IOptions<WebhookOptions> options, TimeProvider time)
    {
        (this.localProviders, this.secrets, this.time, timeout) = (localProviders, secrets, time, options.Value.Timeout);
        var handler = connections.CreateHandler(timeout);
        handler.MaxResponseHeadersLength = MaxHeaderKilobytes;
        invoker = new HttpMessageInvoker(handler, disposeHandler: true);
    }

    /// <summary>Sends an event.</summary>
    /// <param name="target">Where.</param>
    /// <param name="id">The event's id.</param>
    /// <param name="body">The CloudEvent.</param>
    /// <param name="cancellationToken">Ends the attempt, which then has no result.</param>
    public async Task<SendResult> RunAsync(WebhookTarget target, Guid id, string body, CancellationToken cancellationToken)
    {
        var url = new Uri(target.Url);
        if ((url.Scheme != Uri.UriSchemeHttps || LocalProviders.IsLocalName(url.Host)) && localProviders.Find(url, target.OrganisationSlug) is null)
        {
            return new SendResult(null, "forbidden"); // The operator has taken the local address away since.
        }

        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var request = Request(target, url, id, Encoding.UTF8.GetBytes(body));
            using var answer = await invoker.SendAsync(request, either.Token);
            var result = new SendResult((int)answer.StatusCode, null, RetryAfter(answer));
            await DiscardAsync(answer.Content, either.Token);
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new SendResult(null, Timeout);
        }
        catch (HttpRequestException failed)
        {
            return new SendResult(null, failed.InnerException is ForbiddenEndpointException ? "forbidden" : failed.HttpRequestError switch
            {
                HttpRequestError.NameResolutionError => "name_resolution",
                HttpRequestError.ConnectionError => "connect",
                HttpRequestError.SecureConnectionError => "tls",
                _ => "broken",
            });
        }
        catch (CryptographicException)
        {
            return new SendResult(null, "secret"); // Sealed with another Keys:ApiKeyHmac: a rotation mends it.
        }
    }

    public void Dispose() => invoker.Dispose();

    private HttpRequestMessage Request(WebhookTarget target, Uri url, Guid id, byte[] body)
    {
        var now = time.GetUtcNow();
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/cloudevents+json", "utf-8") } } };
        request.Headers.UserAgent.Add(Agent);
        request.Headers.Add("webhook-id", id.ToString());
        request.Headers.Add("webhook-timestamp", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", secrets.Sign(target, id, now, body));
        return request;
    }

    private TimeSpan RetryAfter(HttpResponseMessage answer)
    {
        var wanted = ProviderClient.RetryAfter(answer, time) ?? TimeSpan.Zero;
        return wanted > LongestRetryAfter ? LongestRetryAfter : wanted;
    }

    /// <summary>Reads a short answer, so that the connection can be used again.</summary>
    private static async Task DiscardAsync(HttpContent content, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await content.ReadAsStreamAsync(cancellationToken);
            var buffer = new byte[4 * 1024];
            for (int read, total = 0; total < MaxAnswerBytes && (read = await stream.ReadAsync(buffer, cancellationToken)) > 0; total += read)
            {
            }
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException or OperationCanceledException)
        {
            // The status is there, and it is what counts.
        }
    }
}
