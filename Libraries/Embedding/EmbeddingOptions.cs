using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Embedding;

/// <summary>How the embedding model is loaded and run (section <c>Embedding</c>).</summary>
public sealed class EmbeddingOptions
{
    /// <summary>The folder with model.onnx and vocab.txt. The build copies it beside the program.</summary>
    [Required(ErrorMessage = "Embedding:Directory must name the folder with model.onnx and vocab.txt; leave it out to use the one beside the program.")]
    public string Directory { get; set; } = Path.Combine(AppContext.BaseDirectory, "models", "all-MiniLM-L6-v2");

    /// <summary>Batches that run at the same time in this process; 0 means one for each two processors. The first to load the model in a process decides.</summary>
    [Range(0, 256, ErrorMessage = "Embedding:Parallelism must be between 0 (one for each two processors) and 256.")]
    public int Parallelism { get; set; }

    /// <summary>Tokens of a batch, padding included: what bounds its memory. 4 096 are 16 texts of full length, or hundreds of short ones.</summary>
    [Range(256, 65_536, ErrorMessage = "Embedding:BatchTokens must be between 256 (one text of full length) and 65536.")]
    public int BatchTokens { get; set; } = 4_096;
}
