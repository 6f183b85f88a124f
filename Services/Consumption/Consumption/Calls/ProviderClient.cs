using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Sends a call to its provider. Up to 3 attempts, within the deadline; another one only when the last never reached the provider, or the provider said 429, 502, 503 or 504: so nothing
/// is done, and paid, twice. What broke after it was sent is not sent again. The next attempt goes to the next address of the plan at once; when there is none other, to the same one
/// after 100·2ⁿ ms with jitter.
/// </summary>
internal sealed class ProviderClient : IDisposable
{
    private const int MaxAttempts = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BusyUnlessSaid = TimeSpan.FromMilliseconds(200);
    private static readonly MediaTypeWithQualityHeaderValue Json = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue Anything = new("*/*");
    private static readonly MediaTypeWithQualityHeaderValue EventStream = new("text/event-stream");

    private readonly TimeProvider time;
    private readonly HttpMessageInvoker invoker;

    // For listings with a time to connect of their own; it belongs to the handler, for it covers TLS too. In whole seconds up to a minute, so there are few.
    private readonly ConcurrentDictionary<int, Lazy<HttpMessageInvoker>> invokers = new();
    private readonly ProviderConnections connections;

    public ProviderClient(ProviderConnections connections, IOptions<CallOptions> options, TimeProvider time)
    {
        (this.connections, this.time) = (connections, time);
        invoker = Invoker(options.Value.ConnectTimeout);
    }

    /// <summary>The provider's answer as soon as its headers are there, whatever its status; or why there is none.</summary>
    /// <param name="call">The call; its attempts are noted in it.</param>
    /// <param name="clock">Wound up for each attempt.</param>
    /// <param name="deadline">Falls with it; or when the caller leaves, unless the answer is wanted all the same.</param>
    public async Task<(HttpResponseMessage? Answer, AttemptFailure Failure)> SendAsync(Call call, CallClock clock, CancellationToken deadline)
    {
        var routes = call.Plan!.Routes;
        var route = Next(routes, null) ?? routes[0];
        for (var attempt = 1; ; attempt++)
        {
            clock.AwaitFirstByte();
            var (answer, failure) = await TryAsync(call, route, clock, deadline);
            Note(route, answer, failure, call);
            call.Route = route;
            var again = answer is null ? failure is AttemptFailure.Connect or AttemptFailure.ConnectTimeout : IsRetried(answer.StatusCode);
            if (!again || attempt == MaxAttempts || call.Left.IsCancellationRequested)
            {
                return (answer, failure);
            }

            var next = Next(routes, route); // Asked once: of an address that was closed it takes the one try.
            if (next is null && await WaitAsync(attempt, answer, deadline) is { } stop)
            {
                return (answer, stop && answer is null ? Cancelled(clock) : failure);
            }

            answer?.Dispose();
            route = next ?? route;
        }
    }

    /// <summary>The address after <paramref name="last"/> that may be asked; null when there is none other.</summary>
    private static Route? Next(IReadOnlyList<Route> routes, Route? last)
    {
        var at = 0;
        while (last is not null && at < routes.Count && !ReferenceEquals(routes[at], last))
        {
            at++;
        }

        for (var step = last is null ? 0 : 1; step < routes.Count; step++)
        {
            var route = routes[(at + step) % routes.Count];
            if (route.Health.TryEnter())
            {
                return route;
            }
        }

        return null;
    }

    private void Note(Route route, HttpResponseMessage? answer, AttemptFailure failure, Call call)
    {
        switch (answer)
        {
            case null when failure is AttemptFailure.Left or AttemptFailure.Forbidden:
                route.Health.Unknown();
                break;
            case null:
                route.Health.Failed();
                break;
            case { StatusCode: HttpStatusCode.TooManyRequests }:
                route.Health.Busy(RetryAfter(answer) ?? BusyUnlessSaid);
                break;
            case { StatusCode: >= HttpStatusCode.InternalServerError }:
                route.Health.Failed();
                break;
            default:
                route.Health.Answered(call.Attempts[^1].Ms);
                if (!answer.IsSuccessStatusCode)
                {
                    route.Health.Succeeded(); // It refuses, and does so as it should.
                }

                break;
        }
    }

    /// <summary>Waits before the same address is asked again. Null: it may be; true: there is no time left; false: the provider wants to be left alone for longer than is sensible to wait.</summary>
    private async Task<bool?> WaitAsync(int attempt, HttpResponseMessage? answer, CancellationToken deadline)
    {
        var delay = FirstDelay * Math.Pow(2, attempt - 1) * (0.5 + Random.Shared.NextDouble());
        if (answer is not null && RetryAfter(answer) is { } wanted)
        {
            if (wanted > LongestWait)
            {
                return false; // Its caller knows better what to do with that time than we do.
            }

            delay = wanted > delay ? wanted : delay;
        }

        try
        {
            await Task.Delay(delay, time, deadline);
            return null;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    /// <summary>What <c>retry-after</c> says, in seconds or as a date.</summary>
    public TimeSpan? RetryAfter(HttpResponseMessage answer) =>
        answer.Headers.RetryAfter is { } after ? after.Delta ?? (after.Date is { } date && date > time.GetUtcNow() ? date - time.GetUtcNow() : TimeSpan.Zero) : null;

    public void Dispose()
    {
        invoker.Dispose();
        foreach (var one in invokers.Values.Where(one => one.IsValueCreated))
        {
            one.Value.Dispose();
        }
    }

    private HttpMessageInvoker InvokerOf(ServiceEndpoint endpoint) => endpoint.Timeouts?.ConnectMs is not { } milliseconds
        ? invoker
        : invokers.GetOrAdd((milliseconds + 999) / 1_000, seconds => new(() => Invoker(TimeSpan.FromSeconds(seconds)))).Value;

    private HttpMessageInvoker Invoker(TimeSpan connectTimeout) => new(connections.CreateHandler(connectTimeout), disposeHandler: true);

    private static bool IsRetried(HttpStatusCode status) =>
        status is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    private static AttemptFailure Cancelled(CallClock clock) => clock.RanOut ? AttemptFailure.Timeout : AttemptFailure.Left;

    private static HttpRequestMessage Request(Call call, Uri address)
    {
        var plan = call.Plan!;
        var endpoint = plan.Version.Specification.Endpoint;
        var stored = plan.Upstream.Method != HttpMethod.Post;
        var invocation = call.Request!.Invocation;
        var path = invocation is not null ? $"./{invocation.Path}" // Whatever it looks like, it lies below the address.
            : stored ? ReadStoredCall.Path(call, endpoint.ApiVersion)
            : endpoint.Protocol == EndpointProtocol.Gemini ? $"{plan.Upstream.Path}{Uri.EscapeDataString(plan.Version.Specification.Model.Id)}:{(call.Request!.Stream ? "streamGenerateContent?alt=sse" : "generateContent")}"
            : endpoint.ApiVersion is { } version ? $"{plan.Upstream.Path}?api-version={Uri.EscapeDataString(version)}" : plan.Upstream.Path;
        var request = new HttpRequestMessage(invocation?.Method ?? plan.Upstream.Method, new Uri(address, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = invocation is not null ? Content(invocation)
                : stored ? null
                : plan.Translated is { } translated
                ? new ReadOnlyMemoryContent(translated.Body) { Headers = { ContentType = Json } }
                : EditedBody.Of(call.Surface, call.Body!.Bytes, call.Request!, plan.Version.Specification.Model.Id, plan.Cap),
        };
        request.Headers.Accept.Add(call.Request.Stream ? EventStream : call.Surface.Dialect is Dialect.Audio or Dialect.Rest ? Anything : Json);
        request.Headers.AcceptEncoding.ParseAdd("identity");
        request.Headers.UserAgent.ParseAdd("LlmMarketplace/1");
        request.Headers.TryAddWithoutValidation("x-request-id", call.Id.ToString());
        foreach (var (name, value) in invocation?.Headers ?? [])
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (endpoint.Protocol == EndpointProtocol.Anthropic)
        {
            PassOn(call, request, "anthropic-version", "2023-06-01");
            PassOn(call, request, "anthropic-beta", null);
        }

        if (plan.Credential is { } credential)
        {
            var (name, value) = endpoint.Protocol switch
            {
                EndpointProtocol.Anthropic => ("x-api-key", credential),
                EndpointProtocol.AzureOpenAi => ("api-key", credential),
                EndpointProtocol.Gemini => ("x-goog-api-key", credential),
                _ => ("authorization", $"Bearer {credential}"),
            };
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private static ReadOnlyMemoryContent? Content(Invocation invocation) =>
        invocation.Body is { } body ? new ReadOnlyMemoryContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(invocation.MediaType!) } } : null;

    /// <summary>A header by which callers choose the protocol's version and features.</summary>
    private static void PassOn(Call call, HttpRequestMessage request, string name, string? otherwise)
    {
        var given = call.Http.Request.Headers[name];
        if (given.Count > 0 || otherwise is not null)
        {
            request.Headers.TryAddWithoutValidation(name, given.Count > 0 ? given.ToString() : otherwise);
        }
    }

    private async Task<(HttpResponseMessage? Answer, AttemptFailure Failure)> TryAsync(Call call, Route route, CallClock clock, CancellationToken deadline)
    {
        var started = time.GetTimestamp();
        using var request = Request(call, route.Endpoint.Url);
        AttemptFailure failure;
        try
        {
            var answer = await InvokerOf(call.Plan!.Version.Specification.Endpoint).SendAsync(request, deadline);
            call.Attempts.Add(new Attempt((int)answer.StatusCode, null, Elapsed(started), route.Endpoint.Name));
            return (answer, AttemptFailure.None);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            failure = Cancelled(clock);
        }
        catch (OperationCanceledException)
        {
            failure = AttemptFailure.ConnectTimeout; // The handler's own.
        }
        catch (HttpRequestException broken)
        {
            failure = broken.InnerException is ForbiddenEndpointException ? AttemptFailure.Forbidden
                : broken.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError ? AttemptFailure.Connect
                : AttemptFailure.Reset;
        }

        call.Attempts.Add(new Attempt(null, Error(failure, clock), Elapsed(started), route.Endpoint.Name));
        return (null, failure);
    }

    private static string Error(AttemptFailure failure, CallClock clock) => failure switch
    {
        AttemptFailure.Timeout => clock.Error,
        AttemptFailure.ConnectTimeout => Attempt.ConnectTimeout,
        _ => failure.ToString().ToLower(CultureInfo.InvariantCulture),
    };

    private double Elapsed(long started) => time.GetElapsedTime(started).TotalMilliseconds;
}

/// <summary>Why an attempt brought no answer.</summary>
internal enum AttemptFailure
{
    /// <summary>It did.</summary>
    None,

    /// <summary>The provider was not reached: nothing was sent.</summary>
    Connect,

    /// <summary>No connection came about in time: nothing was sent.</summary>
    ConnectTimeout,

    /// <summary>The endpoint leads where no listing may lead.</summary>
    Forbidden,

    /// <summary>The connection broke after the call was sent.</summary>
    Reset,

    /// <summary>A time of the call's ran out: <see cref="CallClock.Failure"/> says which.</summary>
    Timeout,

    /// <summary>The caller left.</summary>
    Left,
}
