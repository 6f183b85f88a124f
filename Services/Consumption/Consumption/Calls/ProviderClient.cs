using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Platforms;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Sends a call to its provider. Up to 3 attempts, within the deadline; another one only when the last never reached the provider, or the provider said 429, 502, 503 or 504: so nothing
/// is done, and paid, twice; or when the provider refused the credential and there is another. What broke after it was sent is not sent again. The next attempt goes another way of the plan at
/// once: with another credential when it was the credential's fault, to another address when it was the address's; when there is none other, the same way after 100·2ⁿ ms with jitter.
/// </summary>
internal sealed class ProviderClient : IDisposable
{
    private const int MaxAttempts = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BusyUnlessSaid = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider time;
    private readonly ProveCall proofs;
    private readonly HttpMessageInvoker invoker;
    private readonly int maxEventBytes;

    // For listings with a time to connect of their own; it belongs to the handler, for it covers TLS too. In whole seconds up to a minute, so there are few.
    private readonly ConcurrentDictionary<int, Lazy<HttpMessageInvoker>> invokers = new();
    private readonly ProviderConnections connections;

    public ProviderClient(ProviderConnections connections, ProveCall proofs, IOptions<CallOptions> options, TimeProvider time)
    {
        (this.connections, this.proofs, this.time) = (connections, proofs, time);
        invoker = Invoker(options.Value.ConnectTimeout);
        maxEventBytes = options.Value.MaxEventBytes;
    }

    /// <summary>The provider's answer as soon as its headers are there, whatever its status; or why there is none.</summary>
    /// <param name="call">The call; its attempts are noted in it.</param>
    /// <param name="clock">Wound up for each attempt.</param>
    /// <param name="deadline">Falls with it; or when the caller leaves, unless the answer is wanted all the same.</param>
    public async Task<(HttpResponseMessage? Answer, AttemptFailure Failure)> SendAsync(Call call, CallClock clock, CancellationToken deadline)
    {
        var routes = call.Plan!.Routes;
        if ((call.TakeEntry() ?? Entry.First(routes) ?? Entry.LastResort(routes, [])) is not { } entry)
        {
            return (null, routes.All(one => one.CredentialHealth.BusyFor > TimeSpan.Zero) ? AttemptFailure.Busy : AttemptFailure.Closed);
        }

        List<Route>? tried = null;
        for (var attempt = 1; ; attempt++)
        {
            clock.AwaitFirstByte();
            var route = entry.Route;
            HttpResponseMessage? answer;
            AttemptFailure failure;
            try
            {
                (answer, failure) = await TryAsync(call, route, clock, deadline);
            }
            catch
            {
                route.Health.GiveBack(entry.AddressTry); // Else nobody could try the address again.
                throw;
            }

            Note(entry, answer, failure, call);
            call.Route = route;
            var isRefused = answer is null ? failure == AttemptFailure.Credential : IsOfCredential(answer.StatusCode);
            var again = isRefused || (answer is null ? failure is AttemptFailure.Connect or AttemptFailure.ConnectTimeout or AttemptFailure.Token : IsRetried(answer.StatusCode));
            if (!again || attempt == MaxAttempts || call.Left.IsCancellationRequested)
            {
                return (answer, failure);
            }

            (tried ??= []).Add(route);
            var next = Next(routes, tried, isRefused || answer?.StatusCode == HttpStatusCode.TooManyRequests); // Asked once: of an address that was closed it takes the one try.
            if (next is null && isRefused)
            {
                return (answer, failure);
            }

            if (next is null && await WaitAsync(attempt, answer, deadline) is { } stop)
            {
                return (answer, stop && answer is null ? Cancelled(clock) : failure);
            }

            answer?.Dispose();
            entry = next ?? new Entry(route, 0, 0);
        }
    }

    /// <summary>Another way than the last one, which may be gone now; null when there is none.</summary>
    /// <param name="routes">All of them, best first.</param>
    /// <param name="tried">Those that were tried, the last one at the end.</param>
    /// <param name="isOfCredential">Whether the last one failed by its credential, and not by its address.</param>
    private static Entry? Next(IReadOnlyList<Route> routes, List<Route> tried, bool isOfCredential)
    {
        var last = tried[^1];
        var others = routes.SkipWhile(route => !ReferenceEquals(route, last)).Concat(routes.TakeWhile(route => !ReferenceEquals(route, last))).Where(route => !ReferenceEquals(route, last));
        var ordered = isOfCredential ? others.OrderByDescending(route => route.Endpoint == last.Endpoint) : others.Where(route => route.Endpoint != last.Endpoint);
        return Entry.First([.. ordered]) ?? Entry.LastResort(routes, tried);
    }

    private void Note(Entry entry, HttpResponseMessage? answer, AttemptFailure failure, Call call)
    {
        var route = entry.Route;
        switch (answer)
        {
            case null when failure is AttemptFailure.Left or AttemptFailure.Forbidden:
                route.Health.GiveBack(entry.AddressTry);
                break;
            case null when failure == AttemptFailure.Credential && route.Endpoint.Credentials.Count > 1:
                route.Health.GiveBack(entry.AddressTry);
                route.CredentialHealth.Refused();
                break;
            case null:
                route.Health.Failed();
                break;
            case { StatusCode: HttpStatusCode.TooManyRequests }:
                route.Health.GiveBack(entry.AddressTry);
                route.CredentialHealth.Busy(RetryAfter(answer, time) ?? BusyUnlessSaid);
                break;
            case { StatusCode: >= HttpStatusCode.InternalServerError }:
                route.Health.Failed();
                break;
            default:
                route.Health.Answered(call.Attempts[^1].Ms);
                if (IsOfCredential(answer.StatusCode))
                {
                    route.CredentialHealth.Refused();
                }
                else
                {
                    route.CredentialHealth.Accepted();
                }

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
        if (answer is not null && RetryAfter(answer, time) is { } wanted)
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
    public static TimeSpan? RetryAfter(HttpResponseMessage answer, TimeProvider time) =>
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

    private static bool IsOfCredential(HttpStatusCode status) => status is HttpStatusCode.Unauthorized or HttpStatusCode.PaymentRequired or HttpStatusCode.Forbidden;

    private static AttemptFailure Cancelled(CallClock clock) => clock.RanOut ? AttemptFailure.Timeout : AttemptFailure.Left;

    private async Task<(HttpResponseMessage? Answer, AttemptFailure Failure)> TryAsync(Call call, Route route, CallClock clock, CancellationToken deadline)
    {
        var started = time.GetTimestamp();
        using var request = ProviderRequest.Of(call, route.Endpoint.Url);
        AttemptFailure failure;
        var isProved = false;
        try
        {
            (failure, call.ProofProblem) = await proofs.ProveAsync(call, route, request, deadline);
            if (failure != AttemptFailure.None)
            {
                Tried(call, route, null, Error(failure, clock), started);
                return (null, failure);
            }

            isProved = true;
            var answer = await InvokerOf(call.Plan!.Version.Specification.Endpoint).SendAsync(request, deadline);
            Tried(call, route, (int)answer.StatusCode, null, started);
            proofs.Note(call, route, answer);
            if (call.Plan.Version.Specification.Endpoint.Protocol == EndpointProtocol.Bedrock)
            {
                AmazonEventStream.Unframe(answer, maxEventBytes, isInvoke: call.Plan.Upstream.Dialect == Dialect.Messages);
            }

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

        Tried(call, route, null, !isProved ? Attempt.Token : failure == AttemptFailure.Left && request.Content is NotedBody { HasBegun: false } ? Attempt.LeftUnsent : Error(failure, clock), started);
        return (null, failure);
    }

    private static string Error(AttemptFailure failure, CallClock clock) => failure switch
    {
        AttemptFailure.Timeout => clock.Error,
        AttemptFailure.ConnectTimeout => Attempt.ConnectTimeout,
        _ => failure.ToString().ToLower(CultureInfo.InvariantCulture),
    };

    private void Tried(Call call, Route route, int? status, string? error, long started) =>
        call.Attempts.Add(new Attempt(status, error, time.GetElapsedTime(started).TotalMilliseconds, route.Endpoint.Name, route.Credential?.Name));
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

    /// <summary>The provider's credential proves nothing: nothing was sent.</summary>
    Credential,

    /// <summary>Whoever gives access tokens for the credential could not be asked: nothing was sent.</summary>
    Token,

    /// <summary>The connection broke after the call was sent.</summary>
    Reset,

    /// <summary>A time of the call's ran out: <see cref="CallClock.Failure"/> says which.</summary>
    Timeout,

    /// <summary>The caller left.</summary>
    Left,

    /// <summary>Since the call was planned, its address was closed: nothing was sent.</summary>
    Closed,

    /// <summary>Since the call was planned, the provider asked to be spared: nothing was sent.</summary>
    Busy,
}
