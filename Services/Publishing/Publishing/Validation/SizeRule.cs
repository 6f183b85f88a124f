using System.Text;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>SERVICE_TOO_LARGE: a declaration with its OpenAPI document travels through events and memory of every service.</summary>
internal sealed class SizeRule : ISpecificationRule
{
    /// <summary>The most bytes of a declaration, in UTF-8, with its OpenAPI document.</summary>
    public const int MaxBytes = 1024 * 1024;

    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        var bytes = Encoding.UTF8.GetByteCount(subject.Document.GetRawText()) + Encoding.UTF8.GetByteCount(subject.OpenApi ?? "");
        if (bytes > MaxBytes)
        {
            root.Report(IssueCodes.ServiceTooLarge, $"The declaration has {bytes} bytes; at most {MaxBytes} are taken.");
        }

        return Task.CompletedTask;
    }
}
