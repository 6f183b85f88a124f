using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Webhooks;

/// <summary>What is told is delivered: signed, at least once, and again later when it could not be.</summary>
public sealed class DeliveriesTests(Marketplace marketplace)
{
    private DeliverWebhooks Worker => marketplace.Service.App.Services.GetServices<IHostedService>().OfType<DeliverWebhooks>().Single();

    [Fact]
    public async Task Each_threshold_arrives_once_as_the_CloudEvent_that_Kafka_gets_and_signed_as_the_standard_says()
    {
        var hook = await Hook.OpenAsync(marketplace);
        await hook.SetBudgetAsync(1m);
        foreach (var cost in new[] { 0.5m, 0.3m, 0.1m, 0.1m })
        {
            await hook.SpendAsync(cost);
        }

        await hook.DeliveredAsync(3);

        Assert.Equal([50, 80, 100], hook.Seen.Select(call => JsonElement.Parse(call.Body).GetProperty("data").GetProperty("threshold").GetInt32()).Order());
        Assert.All(hook.Seen, call =>
        {
            Assert.True(Hook.IsSigned(call, hook.Secret));
            Assert.False(Hook.IsSigned(call, "whsec_" + Convert.ToBase64String(new byte[32])));
            Assert.Equal("application/cloudevents+json; charset=utf-8", call.Headers["content-type"]);
            var told = JsonElement.Parse(call.Body);
            Assert.Equal(
                ("1.0", "/services/consumption", ConsumptionEvents.BudgetThresholdReached, hook.Organisation.ToString(), call.Headers["webhook-id"]),
                (told.Text("specversion"), told.Text("source"), told.Text("type"), told.Text("subject"), told.Text("id")));
            Assert.Equal(hook.Organisation, told.GetProperty("data").GetProperty("organisationId").GetGuid());
        });
        Assert.All(await hook.DeliveriesAsync(), one => Assert.Equal(
            (ConsumptionEvents.BudgetThresholdReached, 1, 204, JsonValueKind.Null), (one.Text("type"), one.GetProperty("attempts").GetInt32(), one.GetProperty("lastStatus").GetInt32(), one.GetProperty("nextAttemptAt").ValueKind)));
        var page = await hook.Client.GetFromJsonAsync<JsonElement>(hook.Path + "/deliveries?limit=2&state=delivered");
        var rest = await hook.Client.GetFromJsonAsync<JsonElement>($"{hook.Path}/deliveries?limit=2&cursor={page.Text("nextCursor")}");
        Assert.Equal((2, 1), (page.GetProperty("items").GetArrayLength(), rest.GetProperty("items").GetArrayLength()));
        Assert.Equal((400, "invalid_state"), await (await hook.Client.GetAsync(hook.Path + "/deliveries?state=sent")).ProblemAsync());
    }

    [Fact]
    public async Task What_a_receiver_does_not_take_is_sent_again_later_and_later_still_as_it_asks()
    {
        var hook = await Hook.OpenAsync(marketplace, ProviderScripts.OneByOne(Hook.Say(500, ("Retry-After", "86400")), ProviderScripts.Cut, Hook.Say(200)));
        await hook.TellOneAsync();

        var first = await hook.DeliveryAsync("waiting", 1);
        Assert.Equal(500, first.GetProperty("lastStatus").GetInt32());
        Assert.InRange(first.GetProperty("nextAttemptAt").GetDateTimeOffset(), first.GetProperty("createdAt").GetDateTimeOffset().AddHours(1), DateTimeOffset.UtcNow.AddHours(1)); // An hour, whatever it says.
        Assert.NotEqual(JsonValueKind.Null, (await hook.ShownAsync()).GetProperty("failingSince").ValueKind);

        var before = DateTimeOffset.UtcNow;
        await hook.MakeDueAsync();
        var second = await hook.DeliveryAsync("waiting", 2);
        Assert.Equal((JsonValueKind.Null, "broken"), (second.GetProperty("lastStatus").ValueKind, second.Text("lastError")));
        Assert.InRange(second.GetProperty("nextAttemptAt").GetDateTimeOffset(), before.AddMinutes(5), DateTimeOffset.UtcNow.AddMinutes(5.5));

        await hook.MakeDueAsync();
        var third = await hook.DeliveryAsync("delivered", 3);
        Assert.Equal(first.Text("id"), third.Text("id"));
        Assert.Equal([third.Text("id")!], hook.Seen.Select(call => call.Headers["webhook-id"]).Distinct());
        Assert.Equal(3, hook.Seen.Count(call => Hook.IsSigned(call, hook.Secret)));
        Assert.Equal(JsonValueKind.Null, (await hook.ShownAsync()).GetProperty("failingSince").ValueKind);
    }

    [Fact]
    public async Task A_receiver_that_does_not_answer_in_time_has_not_taken_it()
    {
        var hook = await Hook.OpenAsync(marketplace, ProviderScripts.After(new TaskCompletionSource().Task, Hook.Say(200)));
        var services = marketplace.Service.App.Services;
        using var send = new SendWebhook(
            services.GetRequiredService<ProviderConnections>(), services.GetRequiredService<LocalProviders>(), services.GetRequiredService<WebhookSecrets>(), Options.Create(new WebhookOptions { Timeout = TimeSpan.FromSeconds(1) }), TimeProvider.System);
        var (_, secret) = services.GetRequiredService<WebhookSecrets>().Create(hook.Id);
        var url = (await hook.ShownAsync()).Text("url")!;

        var result = await send.RunAsync(new WebhookTarget(hook.Id, url, "acme", secret, null, null), Guid.CreateVersion7(), "{}", CancellationToken.None);

        Assert.Equal((false, null, "timeout"), (result.IsDelivered, result.Status, result.Error));
        await Assert.Single(hook.Seen).Left;
    }

    [Fact]
    public async Task After_eight_attempts_it_is_kept_as_failed_and_sent_once_more_when_it_is_asked_for()
    {
        var hook = await Hook.OpenAsync(marketplace, Hook.Say(500, ("Retry-After", "3600")));
        await hook.TellOneAsync();
        await hook.DeliveryAsync("waiting", 1);
        await hook.ExecuteAsync("UPDATE webhook_deliveries SET attempts = 7, due_at = now() WHERE webhook_id = $1");
        var failed = await hook.DeliveryAsync("failed", 8);
        Assert.Equal((500, JsonValueKind.Null), (failed.GetProperty("lastStatus").GetInt32(), failed.GetProperty("nextAttemptAt").ValueKind));
        hook.Answer(Hook.Say(200));

        using var again = await hook.Client.PostAsync($"{hook.Path}/deliveries/{failed.Text("id")}/redeliver", null);

        Assert.Equal("waiting", (await again.JsonAsync()).Text("state"));
        await hook.DeliveryAsync("delivered", 1);
        Assert.Equal([failed.Text("id")!], hook.Seen.Select(call => call.Headers["webhook-id"]).Distinct());
        Assert.Equal((404, "not_found"), await (await hook.Client.PostAsync($"{hook.Path}/deliveries/{Guid.CreateVersion7()}/redeliver", null)).ProblemAsync());
    }

    [Fact]
    public async Task A_receiver_that_is_gone_disables_its_webhook_until_somebody_enables_it_again()
    {
        var hook = await Hook.OpenAsync(marketplace, Hook.Say(410));
        await hook.TellOneAsync();
        var failed = await hook.DeliveryAsync("failed", 1);
        var disabled = await hook.ShownAsync();
        Assert.Equal((false, "gone"), (disabled.GetProperty("enabled").GetBoolean(), disabled.Text("disabledBecause")));
        Assert.Equal((409, "webhook_disabled"), await (await hook.Client.PostAsync($"{hook.Path}/deliveries/{failed.Text("id")}/redeliver", null)).ProblemAsync());

        await hook.SpendAsync(0.2m);
        Assert.Single(await hook.DeliveriesAsync()); // Nothing is kept for it meanwhile.
        hook.Answer(Hook.Say(200));
        var enabled = await (await hook.Client.PatchAsJsonAsync(hook.Path, new { enabled = true })).JsonAsync();
        await hook.SpendAsync(0.2m);
        await hook.DeliveredAsync(1);

        Assert.Equal((true, JsonValueKind.Null), (enabled.GetProperty("enabled").GetBoolean(), enabled.GetProperty("disabledBecause").ValueKind));
        Assert.Equal([50, 100], hook.Seen.Select(call => JsonElement.Parse(call.Body).GetProperty("data").GetProperty("threshold").GetInt32()));
    }

    [Fact]
    public async Task A_receiver_that_fails_for_days_disables_its_webhook_and_what_waited_goes_on_afterwards()
    {
        var hook = await Hook.OpenAsync(marketplace, Hook.Say(500, ("Retry-After", "3600")));
        await hook.TellOneAsync();
        await hook.DeliveryAsync("waiting", 1);
        await hook.ExecuteAsync("UPDATE webhooks SET failing_since = now() - interval '4 days 23 hours' WHERE id = $1");
        await hook.MakeDueAsync();
        await hook.DeliveryAsync("waiting", 2);
        Assert.True((await hook.ShownAsync()).GetProperty("enabled").GetBoolean());

        await hook.ExecuteAsync("UPDATE webhooks SET failing_since = now() - interval '5 days 1 second' WHERE id = $1");
        await hook.MakeDueAsync();
        await hook.DeliveryAsync("waiting", 3);

        var disabled = await hook.ShownAsync();
        var waiting = await hook.DeliveryAsync("waiting", 3); // Looked at once more: the first look may have seen the webhook as it was before.
        Assert.Equal((false, "failing", JsonValueKind.Null), (disabled.GetProperty("enabled").GetBoolean(), disabled.Text("disabledBecause"), waiting.GetProperty("nextAttemptAt").ValueKind));
        hook.Answer(Hook.Say(200));
        await hook.Client.PatchAsJsonAsync(hook.Path, new { enabled = true });
        await hook.MakeDueAsync();
        await hook.DeliveryAsync("delivered", 4);
    }

    [Fact]
    public async Task What_was_under_way_or_due_while_no_instance_ran_is_sent_afterwards()
    {
        var hook = await Hook.OpenAsync(marketplace, ProviderScripts.OneByOne(ProviderScripts.After(new TaskCompletionSource().Task, Hook.Say(200)), Hook.Say(200)));
        await hook.TellOneAsync();
        await Until.TrueAsync(() => hook.Seen.Count == 1);

        await Worker.StopAsync(CancellationToken.None);
        try
        {
            await hook.SpendAsync(0.4m);
        }
        finally
        {
            await Worker.StartAsync(CancellationToken.None);
        }

        await hook.DeliveredAsync(3);
        Assert.Equal([50, 50, 80, 100], hook.Seen.Select(call => JsonElement.Parse(call.Body).GetProperty("data").GetProperty("threshold").GetInt32()).Order());
        Assert.All(await hook.DeliveriesAsync(), one => Assert.Equal(1, one.GetProperty("attempts").GetInt32())); // What is given back was no attempt.
    }

    [Fact]
    public async Task Several_instances_send_each_event_once_and_a_slow_receiver_holds_up_no_other()
    {
        await using var another = await marketplace.StartInstanceAsync(builder => builder.AddConsumption(), null, new("Webhooks:MaxConcurrent", "5"), new("Webhooks:MaxConcurrentOfOne", "4"), new("Webhooks:Timeout", "00:01:00"));
        var hook = await Hook.OpenAsync(marketplace);
        await TellAsync(hook, budgets: 5);
        await hook.DeliveredAsync(15);
        Assert.Equal(15, hook.Seen.Count);
        Assert.Distinct(hook.Seen.Select(call => call.Headers["webhook-id"]));

        await Worker.StopAsync(CancellationToken.None); // The other one has less room than the slow receiver has deliveries.
        try
        {
            var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var slow = await Hook.OpenAsync(marketplace, ProviderScripts.After(gate.Task, Hook.Say(200)));
            await TellAsync(slow, budgets: 2);
            await Until.TrueAsync(() => slow.Seen.Count >= 4);
            var quick = await Hook.OpenAsync(marketplace);
            await TellAsync(quick, budgets: 2);

            await quick.DeliveredAsync(6);

            Assert.DoesNotContain(slow.Seen, call => call.Left.IsCompleted); // None of them had to be given up before.
            gate.SetResult();
            await slow.DeliveredAsync(6);
        }
        finally
        {
            await Worker.StartAsync(CancellationToken.None);
        }

        static async Task TellAsync(Hook hook, int budgets)
        {
            for (var amount = 1m; amount <= budgets; amount++)
            {
                await hook.SetBudgetAsync(amount);
                await hook.SpendAsync(1m); // All three thresholds of each.
            }
        }
    }

    [Fact]
    public async Task Deliveries_are_kept_for_thirty_days_after_their_end()
    {
        var (old, recent) = (await Hook.OpenAsync(marketplace), await Hook.OpenAsync(marketplace));
        await old.TellOneAsync();
        await recent.TellOneAsync();
        await old.DeliveredAsync(1);
        await recent.DeliveredAsync(1);
        await old.ExecuteAsync("UPDATE webhook_deliveries SET finished_at = now() - interval '30 days 1 minute' WHERE webhook_id = $1");
        await recent.ExecuteAsync("UPDATE webhook_deliveries SET finished_at = now() - interval '29 days 23 hours' WHERE webhook_id = $1");

        await marketplace.Service.App.Services.GetServices<IHostedService>().OfType<TidyDeliveries>().Single().RunAsync(CancellationToken.None);

        Assert.Empty(await old.DeliveriesAsync());
        Assert.Single(await recent.DeliveriesAsync());
    }

    [Fact]
    public async Task A_delivery_that_waits_forgets_an_end_user_who_is_erased()
    {
        var ann = $"ann {Guid.CreateVersion7()}";
        var hook = await Hook.OpenAsync(marketplace, ProviderScripts.OneByOne(Hook.Say(500, ("Retry-After", "3600")), Hook.Say(200)));
        await hook.Client.PutAsJsonAsync($"/api/v1/budgets/end-user?id={Uri.EscapeDataString(ann)}", new { amount = 1m, currency = "USD", period = "total" });
        await hook.SpendAsync(0.6m, ann);
        await hook.DeliveryAsync("waiting", 1);

        var erased = await (await hook.Client.PostAsJsonAsync("/api/v1/end-users/erase", new { endUser = ann })).JsonAsync();
        await hook.MakeDueAsync();
        await hook.DeliveryAsync("delivered", 2);

        Assert.Equal([ann, erased.Text("pseudonym")!], hook.Seen.Select(call => JsonElement.Parse(call.Body).GetProperty("data").Text("endUser")));
        Assert.True(Hook.IsSigned(hook.Seen[1], hook.Secret));
    }

    [Fact]
    public async Task A_broken_promise_is_told_to_its_provider()
    {
        var listing = await marketplace.AddServiceAsync();
        var hook = await Hook.OpenAsync(marketplace, type: ConsumptionEvents.SlaViolationChanged, organisation: listing.OrganisationId);
        var slow = Sla.Calls.Record(listing.ListingId, listing.Versions[0].VersionId, RequestOutcome.Completed, 200, [new Attempt(200, null, 5)], 1_500);

        await marketplace.Service.App.Services.GetRequiredService<UsageStore>().WriteAsync(new UsageBatch([slow], [], [], null), CancellationToken.None);

        await Until.TrueAsync(() => hook.Seen.Any(call => call.Body.Contains(listing.ListingId.ToString(), StringComparison.Ordinal)));
        var told = hook.Seen.First(call => call.Body.Contains(listing.ListingId.ToString(), StringComparison.Ordinal));
        var data = JsonElement.Parse(told.Body).GetProperty("data");
        Assert.Equal(("latency", listing.OrganisationId), (data.Text("metric"), data.GetProperty("providerOrganisationId").GetGuid()));
        Assert.True(Hook.IsSigned(told, hook.Secret));
        Assert.Equal(HttpStatusCode.NoContent, (await hook.Client.DeleteAsync(hook.Path)).StatusCode); // The organisation is every test's.
    }
}
