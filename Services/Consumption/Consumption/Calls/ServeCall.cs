using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// START HERE for the way of a call:
/// <code>
/// 1 key ─ 2 body ─ 3 plan: listing active? entitled? in scope? price and upper bounds ─ 4 admit: quota, budgets, rates reserved by one script, then
///   the admission in the log ─ 5 forward ─ 6 meter ─ 7 settle: the record on disk, in the log, the difference given back ─ 8 the last bytes
/// </code>
/// Until 4 a call is refused and leaves nothing behind; from then on it has exactly one record. When the provider fails before 8 and the caller named other models,
/// 3 to 8 begin anew with the next one, as a call of its own (<see cref="Fallback"/>).
/// </summary>
internal sealed partial class ServeCall(
    KeyCheck keys, PlanCall plans, AdmitCall admission, ReadClaim claims, ReplayAnswer replay, ServeCached cache, KeepCallLogs logs, ProviderClient provider, RelayAnswer answers, RelayStream streams, RelayBinary binaries,
    ReadInvocation invocations, RelayInvocation invoked, ReadStoredCall stored, SettleCall settle, RunningCalls calls,
    ConsumptionTelemetry telemetry, IOptions<CallOptions> options, TimeProvider time, ILogger<ServeCall> logger)
{
    /// <param name="http">The request.</param>
    /// <param name="surface">Where it came.</param>
    /// <param name="named">The stored response that it asks for, or the service that it invokes; null when it does neither.</param>
    public async Task HandleAsync(HttpContext http, Surface surface, string? named = null)
    {
        var id = Guid.CreateVersion7(time.GetUtcNow());
        CallAnswers.SetRequestId(http, id);
        using var running = calls.Enter(http, id);
        if (running is null)
        {
            await CallAnswers.RefuseAsync(http, StopCalls.Stopping);
            return;
        }

        var call = new Call(http, surface, id, time.GetTimestamp()) { Running = running };
        using var activity = call.Activity = telemetry.Start(surface);
        try
        {
            var refusal = await ReadAsync(call, named);
            if (refusal is null)
            {
                foreach (var model in call.Request!.Fallbacks.Prepend(call.Request.Model))
                {
                    if (refusal is not null)
                    {
                        if (!Fallback.Follows(refusal) || call.Left.IsCancellationRequested)
                        {
                            break;
                        }

                        call = call.Again(Guid.CreateVersion7(time.GetUtcNow())); // What was admitted has its record; a fallback is admitted anew.
                    }

                    if (await AttemptAsync(call, model) is not { } failed)
                    {
                        return;
                    }

                    refusal = refusal is not null && failed.Failure == CallFailure.DearerFallback ? refusal : failed;
                }
            }

            CallAnswers.SetHeaders(call);
            if (call.Admission is null)
            {
                telemetry.Refused(activity, refusal!);
            }

            await CallAnswers.RefuseAsync(http, refusal!);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            await LeaveAsync(call, RequestOutcome.Abandoned, 0);
        }
        catch (IOException) when (http.RequestAborted.IsCancellationRequested)
        {
            await LeaveAsync(call, RequestOutcome.Abandoned, 0);
        }
#pragma warning disable CA1031 // The edge of /v1: whatever it is, the call is settled and the caller is told in OpenAI's shape.
        catch (Exception unexpected)
#pragma warning restore CA1031
        {
            Log.Failed(logger, call.Id, unexpected);
            call.Refused = new CallRefusal(CallFailure.Internal);
            await LeaveAsync(call, RequestOutcome.Failed, StatusCodes.Status500InternalServerError);
            if (http.Response.HasStarted)
            {
                http.Abort();
            }
            else
            {
                await CallAnswers.RefuseAsync(http, call.Refused);
            }
        }
        finally
        {
            call.Body?.Dispose();
        }
    }

    /// <summary>Plans, admits and forwards to one model. Null: the caller has an answer.</summary>
    private async Task<CallRefusal?> AttemptAsync(Call call, string model)
    {
        try
        {
            call.Model = model;
            (call.Plan, var refusal) = plans.Plan(call);
            refusal ??= Fallback.Check(call);
            var isPlanned = refusal is null;
            if (isPlanned)
            {
                await cache.LookAsync(call);
            }

            refusal ??= await admission.AdmitAsync(call);
            CallAnswers.SetHeaders(call);
            if (refusal is not null || call.Admission is null || call.Cache?.Found is not null)
            {
                call.GiveBackEntry(); // Now, for what is sent instead may take long.
            }

            if (call.Claim is not null && (!isPlanned || refusal?.Failure == CallFailure.IdempotencyInProgress) && await replay.TrySendAsync(call) is { Known: true, Refusal: var reason })
            {
                return reason;
            }

            if (refusal is null && call.Admission is not null)
            {
                logs.Begin(call);
            }

            return refusal ?? (call.Admission is null ? await replay.SendAsync(call) : call.Cache?.Found is null ? await ForwardAsync(call) : await cache.SendAsync(call));
        }
        finally
        {
            call.GiveBackEntry(); // If it did not come to it.
        }
    }

    private async Task<CallRefusal?> ReadAsync(Call call, string? id)
    {
        (call.Key, call.Organisation, var refusal) = keys.Check(call.Http.Request);
        if (refusal is not null)
        {
            return refusal;
        }

        refusal = id is null || call.Surface == Surface.Invoke ? await ReadBodyAsync(call, id) : await stored.ReadAsync(call, id);
        if (refusal is not null)
        {
            return refusal;
        }

        (call.Attribution, refusal) = ReadAttribution.Read(call.Http.Request, call.Request!.EndUser);
        if (refusal is null && call.Body is not null)
        {
            (call.Claim, refusal) = claims.Read(call);
            call.Copy = call.Claim is null ? null : claims.NewCopy();
        }

        return refusal;
    }

    private async Task<CallRefusal?> ReadBodyAsync(Call call, string? service)
    {
        var isForm = call.Surface.TakesForm;
        (call.Body, var refusal) = await RequestBody.ReadAsync(call.Http, isForm ? options.Value.MaxAudioBytes : options.Value.MaxRequestBytes, isForm);
        if (refusal is not null)
        {
            return refusal;
        }

        if (service is not null)
        {
            return await invocations.ReadAsync(call, service);
        }

        if (isForm)
        {
            (call.Request, refusal) = await ReadFormRequest.ReadAsync(call.Surface, call.Body!.Bytes, call.Http.Request.ContentType!);
            return refusal;
        }

        (call.Request, refusal) = ReadCallRequest.Read(call.Surface, call.Body!.Bytes.Span, options.Value.MaxDepth);
        return refusal ?? await stored.BindAsync(call);
    }

    /// <summary>Forwards an admitted call. Null: the caller has what there is; else nothing of it, and the call is settled as failed.</summary>
    private async Task<CallRefusal?> ForwardAsync(Call call)
    {
        using var clock = new CallClock(call.Plan!.Version.Specification, call.Request!.Stream, options.Value.LongestStream, time);
        using var either = call.IsDrained ? null : CancellationTokenSource.CreateLinkedTokenSource(clock.Token, call.Left);
        using var forwarding = call.Running.Forward(call, clock);
        var stop = either?.Token ?? clock.Token;
        var (answer, failure) = await provider.SendAsync(call, clock, stop);
        using (answer)
        {
            if (failure == AttemptFailure.Left && call.EndedBy is null)
            {
                await LeaveAsync(call, RequestOutcome.Abandoned, 0);
                return null;
            }

            CallRefusal? refusal;
            try
            {
                refusal = answer is null ? call.EndedBy ?? Of(failure, clock, call.ProofProblem) : await RelayAsync(call, answer, clock, stop);
            }
            catch (OperationCanceledException) when (call.EndedBy is not null && !call.Left.IsCancellationRequested)
            {
                refusal = call.EndedBy!;
            }
            catch (OperationCanceledException) when (clock.RanOut)
            {
                call.BrokeOff(clock.Error);
                refusal = new CallRefusal(clock.Failure);
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException && (call.IsDrained || !call.Left.IsCancellationRequested))
            {
                call.BrokeOff(Call.Cut);
                refusal = new CallRefusal(CallFailure.ProviderFailed, "The provider broke off its answer.");
            }

            if (refusal is not null)
            {
                if (answer is { IsSuccessStatusCode: true } && CallErrors.Of(refusal.Failure).Fault == Fault.Provider)
                {
                    call.Route!.Health.Failed(); // Begun well, and not brought to its end.
                }

                call.Refused = refusal;
                var error = CallErrors.Of(refusal.Failure);
                var outcome = refusal.Failure is CallFailure.ProviderRateLimited or CallFailure.ResponseNotFound ? RequestOutcome.RefusedByProvider : RequestOutcome.Failed;
                await settle.SettleAsync(call, CallOutcome.NotCharged(outcome, error.Status));
            }

            return refusal;
        }
    }

    /// <summary>Passes on what the provider answered, or says why it cannot be.</summary>
    private async Task<CallRefusal?> RelayAsync(Call call, HttpResponseMessage answer, CallClock clock, CancellationToken stop)
    {
        var status = (int)answer.StatusCode;
        if (call.Surface == Surface.Invoke && RelayInvocation.IsAnswer(status))
        {
            return IsEncoded(answer) ? Encoded : await invoked.RunAsync(call, answer, clock, stop);
        }

        if (status is >= 200 and < 300)
        {
            if (IsEncoded(answer))
            {
                return Encoded;
            }

            if (answer.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                return call.Request!.Stream
                    ? await streams.RunAsync(call, answer, clock, stop)
                    : new CallRefusal(CallFailure.ProviderFailed, "The provider streams an answer that was to be whole.");
            }

            if (call.Surface == Surface.AudioSpeech)
            {
                return await binaries.RunAsync(call, answer, clock, stop);
            }

            call.FirstByteMs = time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
            clock.AwaitRest();
            return await answers.CompleteAsync(call, answer, stop);
        }

        switch (status)
        {
            case StatusCodes.Status429TooManyRequests:
                return new CallRefusal(CallFailure.ProviderRateLimited, RetryAfter: ProviderClient.RetryAfter(answer, time));
            case StatusCodes.Status404NotFound when call.Surface.Method != HttpMethod.Post:
                return new CallRefusal(CallFailure.ResponseNotFound, $"Response with id '{call.Kept!.ResponseId}' not found.");
            case StatusCodes.Status404NotFound when call.Kept is not null:
                return await answers.RefusedAsync(call, answer, stop); // The provider forgot what the call goes on from.
            case StatusCodes.Status401Unauthorized or StatusCodes.Status402PaymentRequired or StatusCodes.Status403Forbidden or StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed or StatusCodes.Status407ProxyAuthenticationRequired:
                return new CallRefusal(CallFailure.ProviderMisconfigured);
            case StatusCodes.Status408RequestTimeout when IsBedrock(call):
                return new CallRefusal(CallFailure.ProviderTimeout, "The model took too long.");
            case StatusCodes.Status424FailedDependency when IsBedrock(call):
                return new CallRefusal(CallFailure.ProviderFailed, "The model failed.");
            case >= 400 and < 500 when IsEncoded(answer):
                return Encoded;
            case >= 400 and < 500:
                clock.AwaitRest();
                return await answers.RefusedAsync(call, answer, stop);
            case StatusCodes.Status504GatewayTimeout:
                return new CallRefusal(CallFailure.ProviderTimeout, "The provider says that it was not answered in time itself.");
            case StatusCodes.Status503ServiceUnavailable:
                return new CallRefusal(CallFailure.ProviderUnavailable, RetryAfter: ProviderClient.RetryAfter(answer, time));
            default:
                return new CallRefusal(CallFailure.ProviderFailed, $"The provider failed with status {status}.");
        }
    }

    private static CallRefusal Encoded { get; } = new(CallFailure.ProviderFailed, "The provider encoded its answer, which it was asked not to do.");

    private static bool IsEncoded(HttpResponseMessage answer) =>
        answer.Content.Headers.NonValidated.TryGetValues("Content-Encoding", out var encodings) && encodings.Any(encoding => !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase));

    private static bool IsBedrock(Call call) => call.Plan!.Version.Specification.Endpoint.Protocol == EndpointProtocol.Bedrock;

    private static CallRefusal Of(AttemptFailure failure, CallClock clock, string? problem) => new(failure switch
    {
        AttemptFailure.Connect or AttemptFailure.Token => CallFailure.ProviderUnavailable,
        AttemptFailure.ConnectTimeout => CallFailure.ProviderConnectTimeout,
        AttemptFailure.Timeout => clock.Failure,
        AttemptFailure.Forbidden or AttemptFailure.Credential => CallFailure.ProviderMisconfigured,
        AttemptFailure.Closed => CallFailure.ProviderUnavailable,
        AttemptFailure.Busy => CallFailure.ProviderRateLimited,
        _ => CallFailure.ProviderFailed,
    }, problem, RetryAfter: failure is AttemptFailure.Closed or AttemptFailure.Busy ? TimeSpan.FromSeconds(1) : null);

    /// <summary>Settles what was admitted and not settled yet.</summary>
    private async Task LeaveAsync(Call call, RequestOutcome outcome, int status)
    {
        if (call.Admission is not null)
        {
            // The provider works on it, unless the last attempt was not sent, or was refused: what it said no to costs nothing, whoever hears it.
            var charged = outcome == RequestOutcome.Abandoned && call.Attempts is [.., { IsSent: true, Status: null or (>= 200 and < 300) }];
            await settle.SettleAsync(call, charged
                ? new CallOutcome(outcome, status, Count.Of(call, null, 0, out var counted), counted)
                : CallOutcome.NotCharged(outcome == RequestOutcome.Abandoned ? RequestOutcome.Failed : outcome, status));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5001, LogLevel.Error, "The call {Call} failed unexpectedly.")]
        public static partial void Failed(ILogger logger, Guid call, Exception unexpected);
    }
}
